"""Writes docs/api.md, the reference of the Python API, from signatures and docstrings.

``make docs`` runs it; a test fails if the page is out of date.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import heap_exporter
from heap_exporter import allocations, analysis, errors, model
from heap_exporter.report import advice_text, comparison_problem_text, path_text, verdict_text

PAGE = Path(__file__).parent / "api.md"
MAX_LINE = 100

METHODS = {
    "HeapExporter": ("settings", "url", "allocations", "verdict", "census", "snapshot", "on", "stop"),
    "AllocationSampler": ("start", "stop", "hooks", "profile"),
    "HeapMonitor": ("running", "start", "verdict", "census", "snapshot", "on", "stop"),
}
"""Members of the classes that applications call; the other public ones are for heap-exporter's own packages."""


class Section(NamedTuple):
    """A part of the page: its heading, an introduction, the module that is imported, and the names in it."""

    heading: str
    introduction: str
    module: ModuleType
    names: tuple[str, ...]


SECTIONS = (
    Section(
        "Start and stop",
        "All names are in `heap_exporter`. Keywords are the [settings](settings.md) in lower case, without the prefix.",
        heap_exporter,
        ("start", "register", "make_asgi_app", "make_wsgi_app", "current", "HeapExporter", "HeapMonitor"),
    ),
    Section(
        "Values",
        "Frozen values in `heap_exporter.model`. Times `…_at` are Unix seconds, durations seconds, sizes bytes.",
        model,
        (
            "LeakAlert", "Verdict", "State", "Cause", "MemoryTrend", "Reason", "Finding", "FindingKind", "Accumulation",
            "RetainerPath", "Step", "StepKind", "LeakPattern", "GrowingType", "MappingGrowth", "ComparisonProblem",
            "SnapshotInfo", "Census", "TypeCount",
        ),
    ),
    Section(
        "Analysis of snapshots",
        "`from heap_exporter import analysis`. It runs in any process, and needs no other package.",
        analysis,
        (
            "open", "compare", "Heap", "TypeRow", "Group", "Holding", "Diff", "Suspect", "Change", "TypeChange",
            "PathChange",
        ),
    ),
    Section(
        "Where memory is allocated",
        "`from heap_exporter.allocations import AllocationSampler, growth_by_line`; the values are in "
        "`heap_exporter.model`.",
        allocations,
        ("AllocationSampler", "growth_by_line"),
    ),
    Section(
        "Profiles of allocations",
        "Frozen values in `heap_exporter.model`.",
        model,
        ("AllocationProfile", "AllocationSite", "AllocationGrowth", "CodeLine", "AllocationHooks"),
    ),
    Section(
        "Verdicts as text",
        "`heap_exporter.report.verdict_text`",
        verdict_text,
        ("verdict_summary", "VerdictSummary"),
    ),
    Section("Advice as text", "`heap_exporter.report.advice_text`", advice_text, ("alert_advice",)),
    Section("Paths as text", "`heap_exporter.report.path_text`", path_text, ("path_text",)),
    Section(
        "Problems of comparisons as text",
        "`heap_exporter.report.comparison_problem_text`",
        comparison_problem_text,
        ("comparison_problem_text",),
    ),
    Section(
        "Exceptions",
        "All are in `heap_exporter.errors` and derive from `HeapExporterError`. `str(error)` is one line for people.",
        errors,
        tuple(name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)),
    ),
)  # fmt: skip  # long lists of names


def page() -> str:
    """Return the text of the page."""
    lines = [
        "# Python API",
        "",
        "Made by `make docs` from the docstrings. What is not on this page may change in any release.",
        "",
    ]
    for section in SECTIONS:
        lines += [f"## {section.heading}", "", section.introduction, ""]
        for name in section.names:
            lines += _entry(name, getattr(section.module, name))
    return "\n".join(lines).rstrip("\n") + "\n"


def _entry(name: str, value: Any) -> Iterator[str]:
    yield from (f"### `{name}`", "")
    if not inspect.isclass(value):
        yield from (*_code(_signature(name, value)), _markdown(value), "")
        return
    if fields := _fields(value):
        yield from _code(f"class {name}:\n{textwrap.indent(fields, '    ')}")
    yield from (_markdown(value), "")
    for member in METHODS.get(name, ()):
        found = inspect.getattr_static(value, member, None)
        if inspect.isfunction(found):
            yield from (f"#### `{name}.{member}`", "", *_code(_signature(member, found)), _markdown(found), "")
        elif isinstance(found, property):
            yield from (f"#### `{name}.{member}`", "", _markdown(found), "")


def _code(text: str) -> Iterator[str]:
    yield from ("```python", text, "```", "")


def _signature(name: str, function: Any) -> str:
    """Return the signature of a function: one line, or one line for each parameter if it is long."""
    signature = inspect.signature(function)
    parameters = list(_parameters(signature))
    result = "" if signature.return_annotation is signature.empty else f" -> {signature.return_annotation}"
    line = f"{name}({', '.join(parameters)}){result}"
    if len(line) <= MAX_LINE:
        return line
    lines = "".join(f"    {parameter},\n" for parameter in parameters)
    return f"{name}(\n{lines}){result}"


def _parameters(signature: inspect.Signature) -> Iterator[str]:
    """Yield the parameters without ``self``; a star precedes the first one that is a keyword only."""
    has_star = False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not has_star:
            yield "*"
        has_star = has_star or parameter.kind in (parameter.VAR_POSITIONAL, parameter.KEYWORD_ONLY)
        if parameter.name != "self":
            yield re.sub(r"<function (\w+) at 0x\w+>", r"\1", str(parameter).replace("'", ""))


def _fields(value: type) -> str:
    """Return the fields of a data class, the members of an enumeration, or the elements of a named tuple; else ""."""
    if dataclasses.is_dataclass(value):
        return "\n".join(f"{field.name}: {field.type}{_default(field)}" for field in dataclasses.fields(value))
    if issubclass(value, enum.Enum):
        return "\n".join(f"{member.name} = {_literal(member.value)}" for member in value)
    if issubclass(value, tuple) and hasattr(value, "_fields"):
        return "\n".join(f"{name}: {_annotation(value.__annotations__[name])}" for name in value._fields)
    return ""


def _annotation(annotation: Any) -> str:
    return str(getattr(annotation, "__forward_arg__", annotation))


def _default(field: dataclasses.Field[Any]) -> str:
    return "" if field.default is dataclasses.MISSING else f" = {_literal(field.default)}"


def _literal(value: Any) -> str:
    """Return a default as the formatter of the code writes it."""
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _markdown(value: Any) -> str:
    """Return a docstring with its reStructuredText roles and literals as Markdown."""
    text = inspect.getdoc(value) or ""
    text = re.sub(r":[a-z]+:`[~.]*(?:[^`]*\.)?([^`.]+)`", r"`\1`", text)
    return text.replace("``", "`")


if __name__ == "__main__":
    PAGE.write_text(page())
