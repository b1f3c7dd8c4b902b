"""The `repr()` of every value that users get is short, whatever the value holds."""

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import heap_exporter
from heap_exporter import analysis, model
from heap_exporter.analysis import graph, results
from heap_exporter.heapfile import header
from heap_exporter.model import Census, RetainerPath, Step, StepKind, TypeCount
from heap_exporter.report import verdict_text
from heap_exporter.settings import Settings

MAX_CHARACTERS = 300


def modules_of_values() -> Iterator[ModuleType]:
    yield from (heap_exporter, analysis, results, graph, header, verdict_text)
    for found in pkgutil.iter_modules(model.__path__, f"{model.__name__}."):
        yield importlib.import_module(found.name)


VALUES = {
    value
    for module in modules_of_values()
    for name, value in inspect.getmembers(module, inspect.isclass)
    if value.__module__.startswith("heap_exporter.") and (dataclasses.is_dataclass(value) or hasattr(value, "_fields"))
}


def filled(value: type[Any], content: object) -> object:
    """Return an instance that has this content in each of its fields."""
    if hasattr(value, "_fields"):
        return value._make(content for _ in value._fields)
    made = object.__new__(value)
    for field in dataclasses.fields(value):
        object.__setattr__(made, field.name, content)
    return made


def test_all_kinds_of_values_are_here() -> None:
    assert {"Settings", "Census", "Verdict", "LeakAlert", "SnapshotInfo", "Heap", "Diff", "Suspect", "Step"} <= {
        value.__name__ for value in VALUES
    }


@pytest.mark.parametrize("value", sorted(VALUES - {Settings}, key=str), ids=lambda value: value.__name__)
@pytest.mark.parametrize(
    "content",
    ["x" * 10_000, ("x" * 100,) * 10_000, {"x" * 100: "y" * 100}, 1.2345678901234567e-300, Path("/x" * 2000)],
    ids=["text", "tuple", "dict", "number", "path"],
)
def test_the_repr_of_a_value_is_short_and_has_its_class(value: type[Any], content: object) -> None:
    shown = repr(filled(value, content))

    assert shown.startswith(f"{value.__name__}(")
    assert len(shown) < MAX_CHARACTERS


def test_the_repr_of_settings_is_short_and_has_no_secret() -> None:
    secrets: Any = {"token": "S3CRET", "alert_webhook_url": "https://S3CRET"}
    settings = Settings(
        **secrets, otlp_endpoint="https://S3CRET@collector:4318/?key=S3CRET",
        upload_url="s3://" + "x" * 1000, snapshot_dir=Path("/x" * 1000), host="x" * 1000, window_seconds=1800,
    )  # fmt: skip  # one reading

    assert len(repr(settings)) < MAX_CHARACTERS
    assert "S3CRET" not in repr(settings)


def test_the_repr_of_a_value_has_its_first_fields_and_the_size_of_its_collections() -> None:
    census = Census(1.5, 0.1, 0.01, 0.1, "native", (TypeCount("builtins.dict", 3, 9),) * 1234, generation_objects=())

    assert repr(census) == (
        "Census(taken_at=1.5, duration_seconds=0.1, pause_seconds=0.01, cpu_seconds=0.1, walker='native', "
        "types=<1,234 items>, in_process=True)"
    )
    assert repr(Step(StepKind.ATTRIBUTE, "shop.Session", "cart")) == (
        "Step(kind='attribute', owner_type='shop.Session', name='cart')"
    )
    assert repr(RetainerPath([Step(StepKind.ITEM)] * 64)) == "RetainerPath(<64 steps>)"
