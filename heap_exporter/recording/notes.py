"""The notes of a recording: what is known of its process besides the samples, as one JSON object in a small file.

While the process runs, and after a crash, the file has: ``version``, ``pid``, ``process_started_at``, ``boot_id`` and
``service``; then, once known, the last ``verdict``, the last ``census`` and the ids of ``snapshots``; and ``ended``,
once a later process has claimed the recording. A clean stop removes the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any, TypeVar

from heap_exporter.errors import CrashRecordError
from heap_exporter.heapfile.recorded_lost import read_groups
from heap_exporter.model import (
    CacheLimit,
    Cause,
    Census,
    Ending,
    EndingReason,
    Finding,
    FindingKind,
    Reason,
    ReasonKind,
    SettledHolder,
    State,
    TypeCount,
    Verdict,
)
from heap_exporter.model.accumulation_json import accumulation_note, read_accumulation, read_step
from heap_exporter.runtime.boot_id import read_boot_id
from heap_exporter.runtime.json_input import parse_json
from heap_exporter.runtime.own_folder import OwnFolder
from heap_exporter.runtime.service_name import service_name

VERSION = 1
MAX_TYPES = 20
MAX_REASONS = 8
MAX_NAME_CHARS = 200
MAX_FINDING_CHARS = 2000
MAX_FILE_BYTES = 1 << 20

Notes = Mapping[str, Any]
Value = TypeVar("Value")


def new_notes(process_started_at: float | None) -> dict[str, Any]:
    """Return the notes of this process when its recording begins."""
    return {
        "version": VERSION,
        "pid": os.getpid(),
        "process_started_at": process_started_at,
        "boot_id": read_boot_id(),
        "service": service_name(),
    }


def notes_of_clean_stop(pid: int) -> Notes:
    """Return the notes of a process that stopped cleanly, which has removed its own."""
    return {"version": VERSION, "pid": pid, "ending": ending_note(Ending.STOPPED, EndingReason.CLEAN_STOP)}


def write_notes(folder: OwnFolder, name: str, notes: Notes) -> None:
    """Replace the file ``name``, the notes of a recording. Raises ``OSError``."""
    folder.write(name, json.dumps(notes).encode())


def read_notes(folder: OwnFolder, name: str) -> Notes:
    """Return the notes in the file ``name``. Raises ``OSError``, and :class:`CrashRecordError` for other content."""
    text = folder.read(name, MAX_FILE_BYTES)
    try:
        notes = parse_json(text)
        version, pid = notes["version"], int(notes["pid"])
    except (ValueError, KeyError, TypeError, OverflowError):
        raise CrashRecordError("it is not a crash record, or it is damaged") from None
    if version != VERSION:
        raise CrashRecordError(
            f"it has format version {version!r}; this release of heap-exporter reads only version {VERSION}"
        )
    return {**notes, "pid": pid}


def verdict_note(verdict: Verdict) -> Notes:
    """Return a verdict as a note of a recording."""
    return {
        "judged_at": verdict.judged_at,
        "state": verdict.state.value,
        "cause": verdict.cause.value if verdict.cause else None,
        "reasons": [_reason_row(reason) for reason in verdict.reasons[:MAX_REASONS]],
        "window_seconds": verdict.window_seconds,
        "confidence": verdict.confidence,
        "seconds_to_limit": verdict.seconds_to_limit,
        "finding": verdict.finding and _finding_row(verdict.finding),
    }


def read_verdict(notes: Notes) -> Verdict | None:
    """Return the verdict in the notes of a recording, ``None`` without one."""
    return _read(
        notes.get("verdict"),
        lambda note: Verdict(
            judged_at=float(note["judged_at"]),
            state=State(note["state"]),
            cause=None if note["cause"] is None else Cause(note["cause"]),
            reasons=_reasons(note["reasons"]),
            window_seconds=float(note["window_seconds"]),
            confidence=float(note["confidence"]),
            seconds_to_limit=None if note["seconds_to_limit"] is None else float(note["seconds_to_limit"]),
            finding=_finding(note.get("finding")),
        ),
    )


def census_note(census: Census) -> Notes:
    """Return a census as a note of a recording: its largest types."""
    types = [[count.type_name[:MAX_NAME_CHARS], count.objects, count.bytes] for count in census.types[:MAX_TYPES]]
    return {"taken_at": census.taken_at, "objects": census.objects, "bytes": census.bytes, "types": types}


def read_types(notes: Notes) -> tuple[TypeCount, ...]:
    """Return the largest types of the census in the notes, none without a census."""
    return (
        _read(
            notes.get("census"),
            lambda note: tuple(TypeCount(str(name), int(n), int(size)) for name, n, size in note["types"]),
        )
        or ()
    )


def ending_note(ended: Ending, reason: EndingReason) -> Notes:
    """Return how a recorded process ended, as a note."""
    return {"ended": ended.value, "reason": reason.value}


def read_ending(notes: Notes) -> tuple[Ending, EndingReason] | None:
    """Return how the recorded process ended, as its successor found it; ``None`` before it is claimed."""
    return _read(notes.get("ending"), lambda note: (Ending(note["ended"]), EndingReason(note["reason"])))


def read_snapshots(notes: Notes) -> tuple[str, ...]:
    """Return the ids of the snapshots in the notes of a recording."""
    return _read(notes.get("snapshots"), lambda ids: tuple(map(str, ids))) or ()


def read_start(notes: Notes) -> float | None:
    """Return when the recorded process started, ``None`` if it is not known."""
    return _read(notes.get("process_started_at"), float)


def _reason_row(reason: Reason) -> list[Any]:
    """Return the kind and the values of a reason as a note, with names of :data:`MAX_NAME_CHARS` at most."""
    values = {
        name: value[:MAX_NAME_CHARS] if isinstance(value, str) else value for name, value in reason.values.items()
    }
    return [reason.kind.value, values]


def _reasons(rows: Sequence[Any]) -> tuple[Reason, ...]:
    """Return the reasons of a note, without those whose kind is unknown to this version."""
    reasons = []
    for row in rows:
        with suppress(TypeError, ValueError):
            kind, values = row
            reasons.append(Reason(ReasonKind(kind), dict(values)))
    return tuple(reasons)


def _finding_row(finding: Finding) -> dict[str, Any]:
    """Return the values of a finding as a note, only its kind and cause if they are long."""
    row = asdict(finding)
    row["accumulation"] = accumulation_note(finding.accumulation) if finding.accumulation else None
    is_short = len(json.dumps(row)) <= MAX_FINDING_CHARS
    return row if is_short else asdict(Finding(finding.kind, finding.cause))


def _finding(row: Any) -> Finding | None:
    """Return the finding of a note, ``None`` without one, or if its kind is unknown to this version."""
    with suppress(TypeError, ValueError, KeyError):
        return Finding(
            kind=FindingKind(row["kind"]),
            cause=Cause(row["cause"]) if row["cause"] else None,
            accumulation=read_accumulation(row["accumulation"]) if row["accumulation"] else None,
            cache_limits=tuple(CacheLimit(**{**each, "step": read_step(each["step"])}) for each in row["cache_limits"]),
            in_flight_types=tuple(map(str, row["in_flight_types"])),
            settled_holder=_settled_holder(row.get("settled_holder")),
            lost=tuple(read_groups(row.get("lost"))),
        )
    return None


def _settled_holder(row: Mapping[str, Any] | None) -> SettledHolder | None:
    return SettledHolder(**{**row, "step": read_step(row["step"])}) if row else None


def _read(note: Any, parse: Callable[[Any], Value]) -> Value | None:
    """Return what a note contains, ``None`` where it is missing or another program has written it."""
    try:
        return None if note is None else parse(note)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
