"""Where memory was allocated, as members of JSON documents."""

from __future__ import annotations

from typing import Any

from heap_exporter.model import AllocationGrowth, CodeLine


def allocation_document(growth: AllocationGrowth) -> dict[str, Any]:
    """Return the growth of one line as JSON: bytes and objects are whole numbers."""
    return {
        **line_document(growth.line),
        "bytes": round(growth.bytes),
        "plus_minus_bytes": round(growth.plus_minus_bytes),
        "objects": round(growth.objects),
        "caller": growth.caller and line_document(growth.caller),
    }


def line_document(line: CodeLine) -> dict[str, Any]:
    """Return a line of code as JSON."""
    return {"file": line.file, "line": line.line, "function": line.function}
