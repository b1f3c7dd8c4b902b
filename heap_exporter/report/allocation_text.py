"""Where memory was allocated, as text."""

from __future__ import annotations

from collections.abc import Iterable

from heap_exporter.heapfile.header import Header
from heap_exporter.heapfile.recorded_allocations import allocated_between
from heap_exporter.model import AllocationGrowth, CodeLine
from heap_exporter.report.path_text import code
from heap_exporter.runtime.formatting import size

SHOWN_LINES = 3


def allocation_text(growth: AllocationGrowth) -> str:
    """Return the growth of one line as text: place, function, bytes and their error."""
    caller = f", called at {line_text(growth.caller)}" if growth.caller else ""
    return f"{line_text(growth.line)}{caller}: {size(growth.bytes)} ± {size(growth.plus_minus_bytes)}"


def allocated_text(grown: Iterable[AllocationGrowth]) -> str:
    """Return the lines that allocated the growth as one text, "" without any."""
    lines = "; ".join(map(allocation_text, grown))
    return f"Allocated at {lines}" if lines else ""


def allocated_between_text(before: Header, after: Header) -> str:
    """Return the lines that allocated most of the growth between two snapshots as text, "" if that is unknown."""
    return allocated_text(allocated_between(before, after)[:SHOWN_LINES])


def line_text(line: CodeLine) -> str:
    """Return a line of code as text, with its function."""
    calls = "" if line.function.endswith(">") else "()"
    return f"{code(f'{line.file}:{line.line}')} in {code(line.function + calls)}"
