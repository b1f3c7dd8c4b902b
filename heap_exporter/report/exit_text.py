"""Sentences about how a process ended that did not stop cleanly."""

from __future__ import annotations

from heap_exporter.model import EndingReason

_REASONS = {
    EndingReason.KILL_COUNTED: (
        "since the last sample, the kernel has killed a process in this cgroup because memory ran out"
    ),
    EndingReason.AT_LIMIT: ("memory use had reached the limit, so the kernel most likely killed the process (OOM)"),
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
