"""Durations, sizes, rates and percentages as users write them, in settings, keywords and options of commands alike.

A plain number has the unit of the code: seconds, bytes, bytes per hour, percent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from heap_exporter.errors import SettingsError

DAY_SECONDS = 86_400.0

_SECONDS = {"d": DAY_SECONDS, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_BYTES = {
    "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
    "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
}  # fmt: skip  # binary units, then decimal ones

_NUMBER = r"\d+(?:\.\d+)?"
_DURATION_PART = re.compile(rf"({_NUMBER})\s*(ms|d|h|m|s)")
_DURATION = re.compile(rf"(?:{_NUMBER}\s*(?:ms|d|h|m|s)\s*)+")
_SIZE = re.compile(rf"({_NUMBER})\s*([A-Za-z]+)")
_RATE = re.compile(rf"({_NUMBER}.*?)\s*/\s*(h|m|s|d)")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A kind of number with a unit.

    ``suffix`` ends the names of such numbers in the code. ``example`` is for messages: "a duration such as 15m or 90s".
    ``parse`` returns the number of a text with units, ``None`` if it is none; ``text`` is its inverse.
    """

    suffix: str
    example: str
    parse: Callable[[str], float | None]
    text: Callable[[float], str]

    def read(self, key: str, value: object) -> float:
        """Return a value that a user has set: a number, a text with or without a unit, for a duration a timedelta.

        Raises :class:`SettingsError` with ``key``.
        """
        number = self._number(value)
        if number is None or not math.isfinite(number):
            raise SettingsError(key, value, must_be=self.example)
        return number

    def _number(self, value: object) -> float | None:
        if hasattr(value, "total_seconds") and self is DURATION:
            return float(value.total_seconds())  # a timedelta; this module needs no datetime
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        try:
            return float(value)
        except ValueError:
            return self.parse(str(value).strip())
        except OverflowError:
            return None


def short_duration(seconds: float) -> str:
    """Return a duration as settings and PromQL have it, in whole milliseconds: ``15m``, ``1h15m``, ``333ms``."""
    left = round(seconds * 1000)
    parts = []
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def short_size(byte_count: float) -> str:
    """Return a size as settings have it: ``8MiB``, ``1.5GiB``."""
    unit = next((unit for unit in ("TiB", "GiB", "MiB", "KiB") if abs(byte_count) >= _BYTES[unit]), "B")
    return f"{byte_count / _BYTES[unit]:.6g}{unit}"


def _duration(text: str) -> float | None:
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


def _size(text: str) -> float | None:
    found = _SIZE.fullmatch(text)
    return float(found[1]) * _BYTES[found[2]] if found and found[2] in _BYTES else None


def _percent(text: str) -> float | None:
    return float(text.rstrip("% ")) if re.fullmatch(rf"{_NUMBER}\s*%", text) else None


def _count(text: str) -> float | None:
    return float(text) if re.fullmatch(_NUMBER, text) else None


def _per_hour(parse: Callable[[str], float | None]) -> Callable[[str], float | None]:
    """Return a parser of rates: what ``parse`` reads, divided by a unit of time."""

    def parse_rate(text: str) -> float | None:
        found = _RATE.fullmatch(text)
        amount = parse(found[1]) if found else None
        return amount * 3600 / _SECONDS[found[2]] if found and amount is not None else None

    return parse_rate


_UNITS = "the units are B, KiB, MiB, GiB, TiB, kB, MB, GB and TB"

DURATION = Quantity("_seconds", "a duration such as 15m, 90s or 1h30m", _duration, short_duration)
SIZE = Quantity("_bytes", f"a size such as 128MiB ({_UNITS})", _size, short_size)
GROWTH_RATE = Quantity(
    "_bytes_per_hour",
    f"a growth rate such as 4MiB/h or 1KiB/s ({_UNITS})",
    _per_hour(_size),
    lambda rate: f"{short_size(rate)}/h",
)
PERCENT = Quantity("_percent", "a percentage such as 5%", _percent, lambda percent: f"{percent:g}%")
PERCENT_PER_HOUR = Quantity(
    "_percent_per_hour",
    "a percentage per unit of time, such as 1%/h",
    _per_hour(_percent),
    lambda rate: f"{rate:g}%/h",
)
OBJECTS_PER_HOUR = Quantity(
    "_per_hour", "a number of objects per unit of time, such as 1000/h", _per_hour(_count), lambda rate: f"{rate:.0f}/h"
)
