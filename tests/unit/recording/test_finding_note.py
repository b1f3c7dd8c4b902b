"""The finding and the reasons of a verdict are read from a note as they were written."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from heap_exporter.model import (
    CacheLimit,
    Cause,
    Finding,
    FindingKind,
    Reason,
    ReasonKind,
    SettledHolder,
    State,
    Verdict,
)
from heap_exporter.recording.notes import read_verdict, verdict_note
from tests.doubles.lost_memory import lost_chunks, lost_objects
from tests.examples.alerts import full_alert
from tests.heaps.steps import path, step

CONFIRMED = Finding(FindingKind.CONFIRMS_ACCUMULATION, Cause.PYTHON_OBJECTS, full_alert().accumulation)
CLEARED = Finding(FindingKind.CLEARS_BOUNDED_CACHE, cache_limits=(CacheLimit("dict", step("shop.CACHE"), 4, 10),))
IN_FLIGHT = Finding(FindingKind.CLEARS_IN_FLIGHT, in_flight_types=("b",))
SETTLED = Finding(
    FindingKind.CLEARS_SETTLED_HOLDER, settled_holder=SettledHolder("dict", step("shop.CACHE"), 400, 1000)
)

LOST = Finding(
    FindingKind.CONFIRMS_LOST_MEMORY, Cause.LOST_REFERENCES, lost=(lost_objects("bytes", 25), lost_chunks(3000, 7))
)


def note_of(finding: Finding) -> dict[str, object]:
    verdict = Verdict(0.0, State.CONFIRMED, (), 900.0, finding=finding)
    document: dict[str, object] = json.loads(json.dumps(verdict_note(verdict)))
    return document


def read(note: dict[str, object]) -> Finding | None:
    verdict = read_verdict({"verdict": note})
    assert verdict is not None
    return verdict.finding


@pytest.mark.parametrize("finding", [CONFIRMED, CLEARED, IN_FLIGHT, SETTLED, LOST])
def test_a_finding_is_read_as_it_was_written(finding: Finding) -> None:
    assert read(note_of(finding)) == finding


def test_of_a_long_finding_kind_and_cause_are_kept() -> None:
    found = full_alert().accumulation
    assert found is not None
    long = replace(found, path=path(*["dict value"] * 200))

    assert read(note_of(replace(CONFIRMED, accumulation=long))) == replace(CONFIRMED, accumulation=None)


@pytest.mark.parametrize("row", [["confirms", "text"], {"kind": "of another version"}, 7])
def test_a_finding_of_another_version_is_left_out(row: object) -> None:
    assert read({**note_of(CONFIRMED), "finding": row}) is None


@pytest.mark.parametrize("row", ["grew by 60 MiB", ["of another version", {}], ["grew"], ["grew", 7], 7])
def test_a_reason_of_another_version_is_left_out(row: object) -> None:
    known = ["did-not-grow", {}]
    verdict = read_verdict({"verdict": {**note_of(CONFIRMED), "reasons": [row, known]}})

    assert verdict is not None
    assert verdict.reasons == (Reason(ReasonKind.DID_NOT_GROW),)
