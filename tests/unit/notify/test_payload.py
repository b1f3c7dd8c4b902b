"""The document of an alert has the members that docs/alerts.md describes."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path

import pytest

from heap_exporter.notify.payload import alert_document
from tests.examples.alerts import PROBLEM, PROBLEM_TEXT, SNAPSHOT_ID, bare_alert, full_alert
from tests.examples.readings import MEMBER

DOCS = Path(__file__).parents[3] / "docs" / "alerts.md"


def test_the_text_names_what_grows_and_where_it_is_held() -> None:
    document = alert_document(full_alert(), MEMBER)

    assert document["text"] == (
        f"memory leak confirmed in shop (worker 3, process {os.getpid()} on {document['host']}), python-objects: "
        "`Session` objects are accumulating: +58.2 MiB in 15 min (+233 MiB/h), +48,210 objects. "
        "Held by `shop.sessions.SESSIONS` → dict value → `Session`"
    )


def test_the_text_has_the_command_for_snapshots_that_were_not_compared() -> None:
    document = alert_document(dataclasses.replace(full_alert(), accumulation=None, comparison_problem=PROBLEM))

    assert document["text"].endswith(f"were not compared. T{PROBLEM_TEXT[1:]}")
    assert document["comparison_problem"] == PROBLEM_TEXT


def test_the_document_has_type_holder_growth_fingerprint_and_snapshots() -> None:
    document = alert_document(full_alert())

    assert document["type_name"] == "shop.models.Session"
    assert document["holder"] == "shop.sessions.SESSIONS"
    assert (document["growth_objects"], document["growth_bytes"]) == (48_210, 61_000_000)
    assert document["fingerprint"] == "5f1e2d3c4b5a6978"
    assert [snapshot["id"] for snapshot in document["snapshots"]] == [SNAPSHOT_ID]
    assert document["slope_bytes_per_second"] == 69905.0
    assert document["pid"] == os.getpid()


def test_the_document_has_all_members_with_or_without_a_comparison() -> None:
    assert list(alert_document(bare_alert())) == list(alert_document(full_alert()))


@pytest.mark.parametrize("alert", [full_alert(), bare_alert()])
def test_the_document_is_plain_json(alert: object) -> None:
    document = alert_document(alert)  # type: ignore[arg-type]  # one of two

    assert json.loads(json.dumps(document)) == document


def test_the_example_in_the_documentation_has_the_members_of_a_real_document() -> None:
    example = json.loads(re.findall(r"```json\n(.*?)```", DOCS.read_text(), re.DOTALL)[0])
    document = alert_document(full_alert(), MEMBER)

    assert {name: type(value) for name, value in example.items()} == {
        name: type(value) for name, value in document.items()
    }
    assert {*example["snapshots"][0]} == {*document["snapshots"][0]}


def test_the_documentation_describes_every_member() -> None:
    explained = set(re.findall(r"`(\w+)`", DOCS.read_text()))

    assert {*alert_document(full_alert())} <= explained


def test_the_document_has_no_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://user:hunter2@db")

    assert "hunter2" not in json.dumps(alert_document(full_alert(), MEMBER))
