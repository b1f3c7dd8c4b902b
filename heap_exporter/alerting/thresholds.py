"""The numbers in the alert rules, each with the reason to change it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from heap_exporter.alerting.quantities import (
    parse_bytes,
    parse_bytes_per_hour,
    parse_duration,
    parse_objects_per_hour,
    parse_percent_per_hour,
)
from heap_exporter.errors import SettingsError

MIB = 1 << 20
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Option:
    """How a threshold is typed: flag, the default as text, parser, and why one would change it."""

    flag: str
    default: str
    parse: Callable[[str, str], float]
    why: str
    least: float
    most: float


def threshold(
    flag: str, default: str, parse: Callable[[str, str], float], why: str, *, least: float, most: float
) -> Any:
    """Return a dataclass field that carries its :class:`Option`; ``least`` and ``most`` are in the field's unit."""
    return dataclasses.field(
        default=parse(flag, default), metadata={"option": Option(flag, default, parse, why, least, most)}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """All numbers one may change. Raises :class:`SettingsError` on a value that makes no sense."""

    window_seconds: float = threshold(
        "--window", "15m", parse_duration,
        "The shortest stretch growth is judged over; the longer ones are multiples of it, 1h and 6h by default. "
        "Lengthen it if your caches take hours to fill, shorten it to be told sooner and wrongly more often.",
        least=5, most=3 * 3600,
    )
    hold_seconds: float = threshold(
        "--for", "15m", parse_duration,
        "How long the evidence must hold before an alert fires. Lengthen it if alerts come and go.",
        least=1, most=DAY_SECONDS,
    )
    min_slope_bytes_per_hour: float = threshold(
        "--min-slope", "4MiB/h", parse_bytes_per_hour,
        "Growth over one window below this is never reported. Raise it for services that are restarted daily anyway.",
        least=1, most=1e15,
    )
    min_slow_slope_bytes_per_hour: float = threshold(
        "--min-slow-slope", "1MiB/h", parse_bytes_per_hour,
        "The same for growth over 24 windows (6h), which can see slower leaks. Lower it for services that run for months.",
        least=1, most=1e15,
    )
    min_growth_percent_per_hour: float = threshold(
        "--min-growth", "1%/h", parse_percent_per_hour,
        "Growth below this share of the process's memory is never reported: big processes breathe. "
        "Lower it for processes of many GiB that must run for weeks.",
        least=0, most=1000,
    )
    min_type_growth_per_hour: float = threshold(
        "--min-type-growth", "1000/h", parse_objects_per_hour,
        "A type whose count grows slower than this is never reported. Lower it where single objects are large.",
        least=1, most=1e12,
    )
    min_retained_bytes: float = threshold(
        "--min-retained", "128MiB", parse_bytes,
        "Free memory held by the C library's allocator below this is not worth an alert. Lower it for small containers.",
        least=0, most=1e15,
    )
    sample_interval_seconds: float = threshold(
        "--sample-interval", "15s", parse_duration,
        "HEAP_EXPORTER_INTERVAL_SECONDS of your services: twelve missed samples are a stalled sampler.",
        least=0.05, most=3600,
    )  # fmt: skip  # each option reads as a paragraph

    def __post_init__(self) -> None:
        for name, option in options().items():
            value = getattr(self, name)
            if not option.least <= value <= option.most:
                raise SettingsError(option.flag, value, f"must be from {option.least:g} to {option.most:g} ({name})")

    @classmethod
    def parse(cls, texts: Mapping[str, str]) -> Thresholds:
        """Return the thresholds typed as ``texts``, field name to text; fields left out keep their defaults."""
        known = options()
        return cls(**{name: known[name].parse(known[name].flag, text) for name, text in texts.items()})


def options() -> dict[str, Option]:
    """Return the option of each field, in the order of definition."""
    return {field.name: field.metadata["option"] for field in dataclasses.fields(Thresholds)}
