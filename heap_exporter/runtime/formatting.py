"""Figures in the form that people read."""

from __future__ import annotations

import time


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


def difference(number: int) -> str:
    """Return a difference in things with its sign: ``+48,210``, ``−3``, ``±0``."""
    return f"{'−' if number < 0 else '+' if number > 0 else '±'}{abs(number):,}"


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


def clock(unix_seconds: float) -> str:
    """Return a time of day in the process's time zone."""
    return time.strftime("%H:%M:%S", time.localtime(unix_seconds))


def moment(unix_seconds: float) -> str:
    """Return a date and time in the process's time zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix_seconds))


def _figures(number: float, unit: str, *, whole: bool) -> str:
    return f"{number:.0f} {unit}" if whole or abs(number) >= 100 else f"{number:.1f} {unit}"
