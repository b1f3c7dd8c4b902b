"""Sentences about how a process ended that did not stop cleanly."""

from __future__ import annotations

from heap_exporter.model import EndingReason

_REASONS = {
    EndingReason.KILL_COUNTED: "the kernel has killed in this cgroup for lack of memory since the last sample",
    EndingReason.AT_LIMIT: "memory had reached its limit, so most likely the kernel killed the process for that",
    EndingReason.OTHER_BOOT: "the machine has been restarted since, or this is another machine",
    EndingReason.NO_CLEAN_STOP: "it did not stop cleanly: it was killed by a signal, crashed, or called os._exit()",
}


def ending_reason(reason: EndingReason) -> str:
    """Return as text why a process is assumed to have ended in a certain way."""
    return _REASONS[reason]
