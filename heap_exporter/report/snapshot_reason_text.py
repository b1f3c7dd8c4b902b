"""Why the exporter takes a snapshot on its own, as the text that the snapshot's header keeps."""

from __future__ import annotations

from heap_exporter.model import Verdict
from heap_exporter.report import reason_text


def suspected_leak(verdict: Verdict) -> str:
    """Return the reason for the first snapshot of a suspicion as text."""
    return f"leak suspected: {reason_text.summary(verdict)}"


def continued_growth() -> str:
    """Return the reason for the second snapshot of a suspicion as text."""
    return "growth continues (second snapshot of two)"


def near_limit(used_percent: float) -> str:
    """Return the reason for a snapshot near the memory limit as text; ``used_percent`` of the limit is in use."""
    return f"memory is at {used_percent:.0f}% of its limit and is growing"
