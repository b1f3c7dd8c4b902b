"""Numbers and times as text for people: one unit for each quantity.

Sizes are binary (MiB), growth rates are MiB/h, object rates are objects/h, times are UTC. Bytes and bytes/s are for
metrics and JSON.
"""

from __future__ import annotations

import time

LAST_SECOND = 253_402_300_799.0
"""The end of the year 9999 in Unix seconds."""

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
HOUR_SECONDS = 3600


def size(byte_count: float) -> str:
    """Return bytes as ``512 B``, ``4.2 KiB`` or ``61.0 MiB``, with at least two digits."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(byte_count) < 1024:
            return _number(byte_count, unit, whole=unit == "B")
        byte_count /= 1024
    return _number(byte_count, "TiB", whole=False)


def gain(byte_count: float) -> str:
    """Return a difference in bytes with its sign: ``+10.6 MiB``."""
    return f"{_sign(byte_count)}{size(abs(byte_count))}"


def rate(bytes_per_second: float) -> str:
    """Return a growth rate with its sign in MiB/h, from 10 GiB/h on in GiB/h: ``+2,099 MiB/h``, ``−0.04 MiB/h``."""
    per_hour = abs(bytes_per_second) * HOUR_SECONDS
    if per_hour >= 10 * GIB:
        text = _number(per_hour / GIB, "GiB/h", whole=False)
    elif 0 < per_hour < 0.095 * MIB:
        text = f"{per_hour / MIB:.2f} MiB/h" if per_hour >= 0.005 * MIB else "0 MiB/h"
    else:
        text = _number(per_hour / MIB, "MiB/h", whole=per_hour == 0)
    return ("±" if text == "0 MiB/h" else _sign(bytes_per_second)) + text


def difference(number: int) -> str:
    """Return a difference between two counts with its sign: ``+48,210``, ``−3``, ``±0``."""
    return f"{_sign(number)}{abs(number):,}"


def count(number: float) -> str:
    """Return a count as ``812``, ``48.2 k`` or ``1.5 M``."""
    for unit in ("", "k"):
        if number < 1000:
            return f"{number:.0f}" if not unit else _number(number, unit, whole=False)
        number /= 1000
    return _number(number, "M", whole=False)


def duration(seconds: float) -> str:
    """Return a duration as ``4.0 ms``, ``15 s``, ``12 min``, ``3 h 20 min`` or ``2 d 4 h``."""
    if seconds < 1:
        return _number(seconds * 1000, "ms", whole=False)
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


def in_calendar(unix_seconds: float) -> float:
    """Return a Unix time that every format of dates can show: the nearest from 1970 to the year 9999.

    The clock of a machine, and the times in a file, can be anything.
    """
    return min(LAST_SECOND, max(0.0, unix_seconds))


def clock(unix_seconds: float) -> str:
    """Return the time of day in UTC: ``03:58:40 UTC``."""
    return _utc("%H:%M:%S UTC", unix_seconds)


def moment(unix_seconds: float) -> str:
    """Return the date and time in UTC: ``2026-11-28 03:58:40 UTC``."""
    return _utc("%Y-%m-%d %H:%M:%S UTC", unix_seconds)


def stamp(unix_seconds: float) -> str:
    """Return the date and time in UTC as a part of file names: ``20261128T035840Z``."""
    return _utc("%Y%m%dT%H%M%SZ", unix_seconds)


def plural(number: int, noun: str) -> str:
    """Return a count with its noun, which gets an "s" unless it is one thing: ``1 object``, ``48,210 objects``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _utc(form: str, unix_seconds: float) -> str:
    return time.strftime(form, time.gmtime(in_calendar(unix_seconds)))


def _number(number: float, unit: str, *, whole: bool) -> str:
    return f"{number:,.0f} {unit}" if whole or abs(number) >= 99.95 else f"{number:.1f} {unit}"


def _sign(number: float) -> str:
    return "−" if number < 0 else "+" if number > 0 else "±"
