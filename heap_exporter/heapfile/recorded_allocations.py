"""The lines that had allocated most of what was not freed, in the header of a snapshot."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from heap_exporter.heapfile.header import Header
from heap_exporter.model import AllocationGrowth, CodeLine

MAX_LINES = 50

MAX_BYTES = 8192
"""Size of the lines in a header, which has 16 KiB in all."""

LinePlace = tuple[CodeLine, CodeLine | None]


def allocations_member(started_at: float, lines: Iterable[AllocationGrowth]) -> dict[str, Any]:
    """Return the member ``allocations`` of a header: when sampling began, and the lines."""
    members: list[dict[str, Any]] = []
    left = MAX_BYTES
    for line in lines:
        member = _line_member(line)
        left -= len(json.dumps(member)) + 2
        if left < 0 or len(members) == MAX_LINES:
            break
        members.append(member)
    return {"started_at": started_at, "lines": members}


def allocated_between(before: Header, after: Header) -> tuple[AllocationGrowth, ...]:
    """Return the lines that allocated what was not freed from one snapshot to a later one, largest first.

    There are none unless allocations were sampled all the time between them, or from a moment between them on.
    """
    earlier, later = before.allocations or {}, after.allocations or {}
    started_at = later.get("started_at")
    if before.pid != after.pid or not isinstance(started_at, int | float):
        return ()
    is_same = earlier.get("started_at") == started_at
    if not is_same and started_at < before.taken_at:
        return ()
    known = {_place(line): line for line in _lines(earlier)} if is_same else {}
    grown = [_growth(line, known.get(_place(line))) for line in _lines(later)]
    return tuple(sorted((line for line in grown if line.bytes > line.plus_minus_bytes), key=lambda line: -line.bytes))


def _growth(line: AllocationGrowth, before: AllocationGrowth | None) -> AllocationGrowth:
    if before is None:
        return line
    error = math.hypot(line.plus_minus_bytes, before.plus_minus_bytes)
    return AllocationGrowth(line.line, line.caller, line.bytes - before.bytes, error, line.objects - before.objects)


def _place(line: AllocationGrowth) -> LinePlace:
    return line.line, line.caller


def _line_member(growth: AllocationGrowth) -> dict[str, Any]:
    return {
        **_code_member(growth.line),
        "bytes": round(growth.bytes),
        "plus_minus_bytes": round(growth.plus_minus_bytes),
        "objects": round(growth.objects),
        "caller": growth.caller and _code_member(growth.caller),
    }


def _code_member(line: CodeLine) -> dict[str, Any]:
    return {"file": line.file, "line": line.line, "function": line.function}


def _lines(member: Mapping[str, Any]) -> Iterator[AllocationGrowth]:
    """Yield the valid lines of a member: the file may be damaged or malicious."""
    lines = member.get("lines")
    for each in lines if isinstance(lines, list) else ():
        line = _code_line(each)
        numbers = [each.get(name) for name in ("bytes", "plus_minus_bytes", "objects")] if line else []
        if line and all(isinstance(number, int) and 0 <= number < 1 << 63 for number in numbers):
            yield AllocationGrowth(line, _code_line(each.get("caller")), *map(float, numbers))


def _code_line(member: Any) -> CodeLine | None:
    if not isinstance(member, dict):
        return None
    file, line, function = member.get("file"), member.get("line"), member.get("function")
    if isinstance(file, str) and isinstance(line, int) and abs(line) < 1 << 31 and isinstance(function, str):
        return CodeLine(file, line, function)
    return None
