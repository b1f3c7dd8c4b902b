"""Dates in the headers of HTTP answers (RFC 9110, 5.6.7), whatever the locale of the application is."""

from __future__ import annotations

import time

from heap_exporter.runtime.formatting import in_calendar

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(unix_seconds: float) -> str:
    """Return a time as an HTTP date: ``Sat, 28 Nov 2026 03:58:40 GMT``."""
    at = time.gmtime(in_calendar(unix_seconds))
    return (
        f"{_DAYS[at.tm_wday]}, {at.tm_mday:02d} {_MONTHS[at.tm_mon - 1]} {at.tm_year:04d} "
        f"{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d} GMT"
    )
