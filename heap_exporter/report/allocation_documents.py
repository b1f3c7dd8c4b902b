"""Where memory was allocated, as members of JSON documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from heap_exporter.model import AllocationGrowth, AllocationProfile, AllocationSite, CodeLine

MAX_STACKS, MAX_LINES = 100, 100


def allocation_document(growth: AllocationGrowth) -> dict[str, Any]:
    """Return the growth of one line as JSON: bytes and objects are whole numbers."""
    return {
        **line_document(growth.line),
        "bytes": round(growth.bytes),
        "plus_minus_bytes": round(growth.plus_minus_bytes),
        "objects": round(growth.objects),
        "caller": growth.caller and line_document(growth.caller),
    }


def profile_document(profile: AllocationProfile, lines: Sequence[AllocationGrowth]) -> dict[str, Any]:
    """Return a profile as JSON: the totals, and the lines and stacks with most memory that is not freed."""
    stacks = sorted(profile.sites, key=lambda site: -site.live_bytes)
    return {
        "started_at": profile.started_at,
        "taken_at": profile.taken_at,
        "hooks": profile.hooks,
        "interval_bytes": profile.interval_bytes,
        "samples": profile.samples,
        "cpu_seconds": profile.cpu_seconds,
        "live_bytes": round(sum(site.live_bytes for site in profile.sites)),
        "allocated_bytes": round(sum(site.allocated_bytes for site in profile.sites)),
        "lines": [allocation_document(line) for line in lines[:MAX_LINES]],
        "stacks": [_stack_document(site) for site in stacks[:MAX_STACKS]],
    }


def _stack_document(site: AllocationSite) -> dict[str, Any]:
    return {
        "live_bytes": round(site.live_bytes),
        "plus_minus_bytes": round(site.plus_minus_bytes),
        "live_objects": round(site.live_objects),
        "allocated_bytes": round(site.allocated_bytes),
        "allocated_objects": round(site.allocated_objects),
        "calls": [line_document(call) for call in site.calls],
    }


def line_document(line: CodeLine) -> dict[str, Any]:
    """Return a line of code as JSON."""
    return {"file": line.file, "line": line.line, "function": line.function}
