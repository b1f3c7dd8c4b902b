"""Where memory was allocated, as text."""

from __future__ import annotations

from collections.abc import Iterable

from heap_exporter.model import AllocationGrowth, CodeLine
from heap_exporter.report.path_text import code
from heap_exporter.runtime.formatting import size


def allocation_text(growth: AllocationGrowth) -> str:
    """Return the growth of one line as text: place, function, bytes and their error."""
    caller = f", called at {line_text(growth.caller)}" if growth.caller else ""
    return f"{line_text(growth.line)}{caller}: {size(growth.bytes)} ± {size(growth.plus_minus_bytes)}"


def allocated_text(grown: Iterable[AllocationGrowth]) -> str:
    """Return the lines that allocated the growth as one text, "" without any."""
    lines = "; ".join(map(allocation_text, grown))
    return f"Allocated at {lines}" if lines else ""


def line_text(line: CodeLine) -> str:
    """Return a line of code as text, with its function."""
    calls = "" if line.function.endswith(">") else "()"
    return f"{code(f'{line.file}:{line.line}')} in {code(line.function + calls)}"
