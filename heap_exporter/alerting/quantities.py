"""Parsers of durations, sizes and slopes as users type them; durations and numbers in the syntax of PromQL."""

from __future__ import annotations

import re

from heap_exporter.errors import SettingsError

_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 10**3, "MB": 10**6, "GB": 10**9}

_UNITS = "B, KiB, MiB, GiB, kB, MB and GB"

_NUMBER = r"\d+(?:\.\d+)?"
_DURATION_PART = re.compile(rf"({_NUMBER})\s*(ms|d|h|m|s)")
_DURATION = re.compile(rf"(?:{_NUMBER}\s*(?:ms|d|h|m|s)\s*)+")
_SIZE = re.compile(rf"({_NUMBER})\s*([A-Za-z]*)")
_RATE = re.compile(rf"({_NUMBER}.*?)\s*/\s*(h|m|s|d)")


def parse_duration(key: str, text: str) -> float:
    """Return the seconds of an option of the alert rules such as ``1h30m``. Raises :class:`SettingsError`."""
    if not _DURATION.fullmatch(text.strip()):
        raise SettingsError(key, text, "not a duration such as 15m, 90s or 1h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


def parse_bytes(key: str, text: str) -> float:
    """Return the bytes of an option of the alert rules such as ``128MiB``. Raises :class:`SettingsError`."""
    size = _bytes(text.strip())
    if size is None:
        raise SettingsError(key, text, f"not a size such as 128MiB; the units are {_UNITS}")
    return size


def parse_bytes_per_hour(key: str, text: str) -> float:
    """Return the bytes per hour of an option of the alert rules such as ``4MiB/h``. Raises :class:`SettingsError`."""
    wanted = f"a growth rate such as 4MiB/h or 1KiB/s; the units are {_UNITS}"
    amount, seconds = _split_rate(key, text, wanted)
    size = _bytes(amount)
    if size is None:
        raise SettingsError(key, text, f"not {wanted}")
    return size * 3600 / seconds


def parse_percent_per_hour(key: str, text: str) -> float:
    """Return the percent per hour of an option of the alert rules such as ``1%/h``. Raises :class:`SettingsError`."""
    wanted = "a percentage per unit of time, such as 1%/h"
    amount, seconds = _split_rate(key, text, wanted)
    if not re.fullmatch(rf"{_NUMBER}\s*%", amount):
        raise SettingsError(key, text, f"not {wanted}")
    return float(amount.rstrip("% ")) * 3600 / seconds


def parse_objects_per_hour(key: str, text: str) -> float:
    """Return the objects per hour of an option of the alert rules such as ``1000/h``. Raises :class:`SettingsError`."""
    wanted = "a number of objects per unit of time, such as 1000/h"
    amount, seconds = _split_rate(key, text, wanted)
    if not re.fullmatch(_NUMBER, amount):
        raise SettingsError(key, text, f"not {wanted}")
    return float(amount) * 3600 / seconds


def promql_duration(seconds: float) -> str:
    """Return the shortest PromQL duration: ``15m``, ``1h15m``, ``333ms``."""
    left = round(seconds * 1000)
    parts = []
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def promql_number(value: float) -> str:
    """Return a number in PromQL without an exponent: 4194304 and not 4.1943e+06."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _bytes(text: str) -> float | None:
    found = _SIZE.fullmatch(text)
    return float(found[1]) * _BYTES[found[2]] if found and found[2] in _BYTES else None


def _split_rate(key: str, text: str, wanted: str) -> tuple[str, float]:
    """Return the amount in an option of the alert rules, as text, and the seconds of its unit of time."""
    found = _RATE.fullmatch(text.strip())
    if not found:
        raise SettingsError(key, text, f"not {wanted}")
    return found[1], _SECONDS[found[2]]
