"""Sentences about how a process ended that did not stop cleanly."""

from __future__ import annotations

from heap_exporter.model import EndingReason

_REASONS = {
    EndingReason.KILL_COUNTED: (
        "the kernel has killed a process of this cgroup for lack of memory since the last sample"
    ),
    EndingReason.AT_LIMIT: (
        "memory had reached its limit, so the kernel most likely killed the process for lack of memory"
    ),
    EndingReason.OTHER_BOOT: (
        "the machine has been restarted since the last sample, or the recording is from another machine"
    ),
    EndingReason.NO_CLEAN_STOP: (
        "the process did not stop cleanly: it was killed by a signal, crashed, or called os._exit()"
    ),
}


def ending_reason(reason: EndingReason) -> str:
    """Return as text why a process is assumed to have ended in a certain way."""
    return _REASONS[reason]
