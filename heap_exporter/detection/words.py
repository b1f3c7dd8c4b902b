"""The verdict's reasons in plain words, with the figures that led to it."""

from __future__ import annotations

MIB = 1 << 20


def size(count: float) -> str:
    """Return a number of bytes as MiB."""
    return f"{count / MIB:,.1f} MiB"


def rate(bytes_a_second: float) -> str:
    """Return a slope in bytes a second and in MB an hour."""
    return f"{bytes_a_second:,.0f} bytes/s ({bytes_a_second * 3600 / 1e6:,.1f} MB/h)"


def time(seconds: float) -> str:
    """Return a length of time in the unit that suits it."""
    for unit, length in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"
