"""The walker and the census in sentences."""

from __future__ import annotations

from heap_exporter.model import Census, WalkerChoice
from heap_exporter.runtime.formatting import duration

WHY = {
    "best": "it sees every object and leaves the process running",
    "setting": "HEAP_EXPORTER_WALKER says so",
    "no_extension": "the extension of the native one was not built when heap-exporter was installed",
    "platform": "the native one needs Linux",
    "free_threaded": "the native one does not know free-threaded builds",
    "layout": "the extension of the native one was built for another interpreter",
    "failing": "the native one keeps failing, and is tried again later",
}
"""Why a walker walks, by the reason of a :class:`~heap_exporter.model.WalkerChoice`."""


def walker(choice: WalkerChoice) -> str:
    """Return which walker walks, and why, as a sentence."""
    detail = f" ({choice.detail})" if choice.detail else ""
    return f"The {choice.name} walker walks the heap: {WHY[choice.reason]}{detail}."


def census(found: Census, interval_seconds: float) -> str:
    """Return how the last census was taken, and when the next is due, as a sentence."""
    where = "in this process" if found.in_process else "in a clone of the process"
    return (
        f"Counted {where} in {duration(found.duration_seconds)}, for which the process stood still for "
        f"{duration(found.pause_seconds)} at most; counted anew every {duration(interval_seconds)}."
    )
