"""A verdict and a census as the notes of a black box: plain JSON that fits, and back from whatever is there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any, TypeVar

from heap_exporter.model import (
    Accumulation,
    CacheLimit,
    Cause,
    Census,
    Finding,
    FindingKind,
    LeakPattern,
    Reason,
    ReasonKind,
    State,
    Step,
    StepKind,
    TypeCount,
    Verdict,
)
from heap_exporter.recording.ring_format import NOTE_BYTES

MAX_TYPES = 20
MAX_REASONS = 8
LONGEST_NAME = 200
LONGEST_FINDING = 2000

_ROOM = NOTE_BYTES - 64
T = TypeVar("T")


def verdict_note(verdict: Verdict) -> bytes:
    """Return a verdict's note: the state, the cause, why, and how long the memory would last."""
    return _fitting(
        {
            "judged_at": verdict.judged_at,
            "state": verdict.state.value,
            "cause": verdict.cause.value if verdict.cause else None,
            "window_seconds": verdict.window_seconds,
            "confidence": verdict.confidence,
            "seconds_to_limit": verdict.seconds_to_limit,
            "finding": verdict.finding and _finding_row(verdict.finding),
        },
        "reasons",
        [_reason_row(reason) for reason in verdict.reasons[:MAX_REASONS]],
    )


def census_note(census: Census) -> bytes:
    """Return a census's note: the largest types."""
    rows = [[count.type_name[:LONGEST_NAME], count.objects, count.bytes] for count in census.types[:MAX_TYPES]]
    return _fitting({"taken_at": census.taken_at, "objects": census.objects, "bytes": census.bytes}, "types", rows)


def plain_note(document: Mapping[str, Any]) -> bytes:
    """Return a small document as a note."""
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


def read_verdict(note: Mapping[str, Any] | None) -> Verdict | None:
    """Return the verdict that a note tells of, ``None`` if it is none."""
    return _read(
        note,
        lambda found: Verdict(
            judged_at=float(found["judged_at"]),
            state=State(found["state"]),
            cause=None if found["cause"] is None else Cause(found["cause"]),
            reasons=_reasons(found["reasons"]),
            window_seconds=float(found["window_seconds"]),
            confidence=float(found["confidence"]),
            seconds_to_limit=None if found["seconds_to_limit"] is None else float(found["seconds_to_limit"]),
            finding=_finding(found.get("finding")),
        ),
    )


def read_types(note: Mapping[str, Any] | None) -> tuple[TypeCount, ...]:
    """Return the largest types of the census that a note tells of, none if it tells of none."""
    return _read(note, lambda found: tuple(TypeCount(str(name), int(n), int(b)) for name, n, b in found["types"])) or ()


def _reason_row(reason: Reason) -> list[Any]:
    """Return the kind and the values of a reason, with names cut to :data:`LONGEST_NAME` characters."""
    values = {name: value[:LONGEST_NAME] if isinstance(value, str) else value for name, value in reason.values.items()}
    return [reason.kind.value, values]


def _reasons(rows: Sequence[Any]) -> tuple[Reason, ...]:
    """Return the reasons of a note; one whose kind this version does not know is left out."""
    found = []
    for row in rows:
        with suppress(TypeError, ValueError):
            kind, values = row
            found.append(Reason(ReasonKind(kind), dict(values)))
    return tuple(found)


def _finding_row(finding: Finding) -> dict[str, Any]:
    """Return the values of a finding; only its kind and cause if they are long."""
    row = asdict(finding)
    is_short = len(json.dumps(row)) <= LONGEST_FINDING
    return row if is_short else asdict(Finding(finding.kind, finding.cause))


def _finding(row: Any) -> Finding | None:
    """Return the finding of a note, ``None`` if it has none or one that this version does not know."""
    with suppress(TypeError, ValueError, KeyError):
        return Finding(
            kind=FindingKind(row["kind"]),
            cause=Cause(row["cause"]) if row["cause"] else None,
            accumulation=_accumulation(row["accumulation"]) if row["accumulation"] else None,
            cache_limits=tuple(CacheLimit(**{**each, "step": _step(each["step"])}) for each in row["cache_limits"]),
            in_flight_types=tuple(map(str, row["in_flight_types"])),
        )
    return None


def _accumulation(row: Mapping[str, Any]) -> Accumulation:
    typed = {
        "holder": tuple(map(_step, row["holder"])),
        "path": tuple(map(_step, row["path"])),
        "pattern": LeakPattern(row["pattern"]) if row["pattern"] else None,
    }
    return Accumulation(**{**row, **typed})


def _step(row: Sequence[str]) -> Step:
    kind, owner_type, name = row
    return Step(StepKind(kind), owner_type, name)


def _fitting(document: dict[str, Any], name: str, rows: list[Any]) -> bytes:
    """Return the document with as many rows, under ``name``, as there is room for."""
    while len(text := plain_note({**document, name: rows})) > _ROOM:
        rows = rows[: len(rows) // 2]
    return text


def _read(note: Mapping[str, Any] | None, parse: Callable[[Mapping[str, Any]], T]) -> T | None:
    try:
        return None if note is None else parse(note)
    except (KeyError, TypeError, ValueError, OverflowError):  # of another version, or written by somebody else
        return None
