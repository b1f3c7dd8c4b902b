"""Figures in the form that people read."""

from __future__ import annotations

import time

from heap_exporter.model import Census, WalkerChoice

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


def size(count: float) -> str:
    """Return bytes as ``512 B``, ``4.2 KiB``, ``61 MiB``…, with two figures at least."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return _figures(count, unit, whole=unit == "B")
        count /= 1024
    return _figures(count, "TiB", whole=False)


def gain(count: float) -> str:
    """Return a difference in bytes with its sign."""
    sign = "−" if count < 0 else "+" if count > 0 else "±"
    return f"{sign}{size(abs(count))}"


def count(number: float) -> str:
    """Return a number of things as ``812`` or ``48.2 k`` or ``1.5 M``."""
    for unit in ("", "k"):
        if number < 1000:
            return f"{number:.0f}" if not unit else _figures(number, unit, whole=False)
        number /= 1000
    return _figures(number, "M", whole=False)


def duration(seconds: float) -> str:
    """Return a span of time as people say it: ``4.0 ms``, ``15 s``, ``12 min``, ``3 h 20 min``, ``2 d 4 h``."""
    if seconds < 1:
        return _figures(seconds * 1000, "ms", whole=False)
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


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


def clock(unix_seconds: float) -> str:
    """Return a time of day in the process's time zone."""
    return time.strftime("%H:%M:%S", time.localtime(unix_seconds))


def moment(unix_seconds: float) -> str:
    """Return a date and time in the process's time zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix_seconds))


def _figures(number: float, unit: str, *, whole: bool) -> str:
    return f"{number:.0f} {unit}" if whole or abs(number) >= 100 else f"{number:.1f} {unit}"
