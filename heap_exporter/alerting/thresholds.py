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
    promql_duration,
)
from heap_exporter.errors import SettingsError
from heap_exporter.settings import MIN_SAMPLES_A_WINDOW

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Option:
    """How a threshold is typed: flag, parser, the default and the bounds as texts, and why one would change it."""

    flag: str
    parse: Callable[[str, str], float]
    default: str
    least: str
    most: str
    why: str

    def check(self, value: float, shown: object) -> None:
        """Raise :class:`SettingsError`, with the value as it was given, unless it lies within the bounds."""
        if not self.parse(self.flag, self.least) <= value <= self.parse(self.flag, self.most):
            raise SettingsError(self.flag, shown, f"must be from {self.least} to {self.most}")

    def read(self, text: str) -> float:
        """Return a typed threshold. Raises :class:`SettingsError`."""
        value = self.parse(self.flag, text)
        self.check(value, text)
        return value


def threshold(flag: str, parse: Callable[[str, str], float], default: str, bounds: tuple[str, str], why: str) -> Any:
    """Return a dataclass field that carries its :class:`Option`."""
    option = Option(flag, parse, default, *bounds, why)
    return dataclasses.field(default=parse(flag, default), metadata={"option": option})


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertThresholds:
    """All numbers one may change. Raises :class:`SettingsError` on a value that makes no sense."""

    # fmt: off
    window_seconds: float = threshold(
        "--window", parse_duration, "15m", ("5s", "3h"),
        "The shortest stretch growth is judged over; the longer ones are multiples of it, 1h and 6h by default. "
        "Lengthen it if your caches take hours to fill, shorten it to be told sooner and wrongly more often.",
    )
    hold_seconds: float = threshold(
        "--for", parse_duration, "15m", ("1s", "1d"),
        "How long the evidence must hold before an alert fires. Lengthen it if alerts come and go.",
    )
    min_slope_bytes_per_hour: float = threshold(
        "--min-slope", parse_bytes_per_hour, "4MiB/h", ("1B/h", "1000GiB/h"),
        "Growth over one window below this is never reported. Raise it for services that are restarted daily anyway.",
    )
    min_slow_slope_bytes_per_hour: float = threshold(
        "--min-slow-slope", parse_bytes_per_hour, "1MiB/h", ("1B/h", "1000GiB/h"),
        "The same for growth over 24 windows (6h), which sees slower leaks. Lower it for services that run for months.",
    )
    min_growth_percent_per_hour: float = threshold(
        "--min-growth", parse_percent_per_hour, "1%/h", ("0%/h", "1000%/h"),
        "Growth below this share of the process's memory is never reported: big processes breathe. "
        "Lower it for processes of many GiB that must run for weeks.",
    )
    min_type_growth_per_hour: float = threshold(
        "--min-type-growth", parse_objects_per_hour, "1000/h", ("1/h", "1000000000/h"),
        "A type whose count grows slower than this is never reported. Lower it where single objects are large.",
    )
    min_retained_bytes: float = threshold(
        "--min-retained", parse_bytes, "128MiB", ("0B", "1000GiB"),
        "Free memory that the C library holds below this is no reason to alert. Lower it for small containers.",
    )
    sample_interval_seconds: float = threshold(
        "--sample-interval", parse_duration, "15s", ("50ms", "1h"),
        "HEAP_EXPORTER_INTERVAL_SECONDS of your services: twelve missed samples are a stalled sampler, and a window "
        "needs twelve.",
    )
    # fmt: on

    def __post_init__(self) -> None:
        for name, option in options().items():
            option.check(getattr(self, name), getattr(self, name))
        self._check_window()

    def _check_window(self) -> None:
        """Raise :class:`SettingsError` unless a window holds as many samples as services of such a window insist on."""
        window, interval = self.window_seconds, self.sample_interval_seconds
        if window < MIN_SAMPLES_A_WINDOW * interval:
            raise SettingsError(
                "--window",
                promql_duration(window),
                f"too short to judge with a sample every {promql_duration(interval)}; set --window to "
                f"{promql_duration(MIN_SAMPLES_A_WINDOW * interval)} at least, or HEAP_EXPORTER_INTERVAL_SECONDS of "
                f"your services and --sample-interval to {promql_duration(window / MIN_SAMPLES_A_WINDOW)} at most",
            )

    @classmethod
    def read(cls, texts: Mapping[str, str]) -> AlertThresholds:
        """Return the thresholds typed as ``texts``, field name to text; fields left out keep their defaults."""
        return cls(**{name: options()[name].read(text) for name, text in texts.items()})


def options() -> dict[str, Option]:
    """Return the option of each field, in the order of definition."""
    return {field.name: field.metadata["option"] for field in dataclasses.fields(AlertThresholds)}
