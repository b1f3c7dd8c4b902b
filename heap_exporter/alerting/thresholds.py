"""The thresholds of the alert rules, each with the reason to change it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heap_exporter.errors import SettingsError
from heap_exporter.runtime.quantities import (
    DURATION,
    GROWTH_RATE,
    OBJECTS_PER_HOUR,
    PERCENT_PER_HOUR,
    SIZE,
    Quantity,
    short_duration,
)
from heap_exporter.settings import MIN_SAMPLES_A_WINDOW, definitions, longest_interval

_SETTINGS = definitions()


@dataclass(frozen=True, slots=True)
class Option:
    """The command-line option of a threshold: flag, kind, default, and bounds as text, and the reason to change it."""

    flag: str
    quantity: Quantity
    default: float
    min_text: str
    max_text: str
    why: str

    def check(self, value: float, shown: object) -> None:
        """Raise :class:`SettingsError` unless a threshold of the alert rules, as ``shown``, is within its bounds."""
        if not self._read(self.min_text) <= value <= self._read(self.max_text):
            raise SettingsError(self.flag, shown, must_be=f"between {self.min_text} and {self.max_text}")

    def read(self, text: str) -> float:
        """Return the threshold of an alert rule that a user typed. Raises :class:`SettingsError`."""
        value = self._read(text)
        self.check(value, text)
        return value

    def _read(self, text: str) -> float:
        return self.quantity.read(self.flag, text)


def threshold(flag: str, quantity: Quantity, default: float | str, bounds: tuple[str, str], why: str) -> Any:
    """Return a dataclass field for a threshold of the alert rules, with its :class:`Option` as metadata."""
    number = quantity.read(flag, default)
    return dataclasses.field(default=number, metadata={"option": Option(flag, quantity, number, *bounds, why)})


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertThresholds:
    """All thresholds that a user can change. Raises :class:`SettingsError` for a value out of its bounds."""

    # fmt: off
    window_seconds: float = threshold(
        "--window", DURATION, _SETTINGS["window"].default, ("5s", "3h"),
        "Shortest time range over which the rules measure growth; the two longer ranges are 4 and 24 times as long. "
        "Raise it if your caches take hours to fill. Lower it to get alerts earlier, but also more false alerts.",
    )
    hold_seconds: float = threshold(
        "--for", DURATION, "15m", ("1s", "1d"),
        "How long the condition of an alert must hold before the alert fires. Raise it if alerts fire and resolve too "
        "often.",
    )
    min_slope_bytes_per_hour: float = threshold(
        "--min-slope", GROWTH_RATE, _SETTINGS["min_slope"].default, ("1B/h", "1000GiB/h"),
        "Minimum growth rate, measured over one or four times --window, that fires an alert. Raise it for services "
        "that restart daily.",
    )
    min_slow_slope_bytes_per_hour: float = threshold(
        "--min-slow-slope", GROWTH_RATE, "1MiB/h", ("1B/h", "1000GiB/h"),
        "Minimum growth rate, measured over 24 times --window, that fires an alert. Lower it for services that run for "
        "months without a restart.",
    )
    min_growth_percent_per_hour: float = threshold(
        "--min-growth", PERCENT_PER_HOUR, "1%/h", ("0%/h", "1000%/h"),
        "Minimum growth rate, as a percentage of the memory of the process, that fires an alert. Lower it for "
        "processes that use many GiB and must run for weeks.",
    )
    min_type_growth_per_hour: float = threshold(
        "--min-type-growth", OBJECTS_PER_HOUR, "1000/h", ("1/h", "1000000000/h"),
        "Minimum growth rate of the number of objects of one type that fires an alert. Lower it if the objects are "
        "large.",
    )
    min_retained_bytes: float = threshold(
        "--min-retained", SIZE, "128MiB", ("0B", "1000GiB"),
        "Minimum amount of freed memory, not returned to the kernel by malloc, that fires the fragmentation alert. "
        "Lower it for small containers.",
    )
    interval_seconds: float = threshold(
        "--interval", DURATION, _SETTINGS["interval"].default, ("50ms", "1h"),
        "The value of HEAP_EXPORTER_INTERVAL in your services. An alert fires after twelve missing samples, "
        "and --window must contain at least twelve samples.",
    )
    # fmt: on

    def __post_init__(self) -> None:
        for name, option in options().items():
            option.check(getattr(self, name), getattr(self, name))
        self._check_window()

    def _check_window(self) -> None:
        """Raise :class:`SettingsError` unless the window of the alert rules has enough samples of a service."""
        window, interval = self.window_seconds, self.interval_seconds
        if window < MIN_SAMPLES_A_WINDOW * interval:
            raise SettingsError(
                "--window",
                short_duration(window),
                f"too short for one sample every {short_duration(interval)}; set --window to at least "
                f"{short_duration(MIN_SAMPLES_A_WINDOW * interval)}, or HEAP_EXPORTER_INTERVAL in your services "
                f"and --interval to at most {short_duration(longest_interval(window))}",
            )

    @classmethod
    def read(cls, texts: Mapping[str, str]) -> AlertThresholds:
        """Return the thresholds of the alert rules from ``texts`` by field name, others with their defaults."""
        return cls(**{name: options()[name].read(text) for name, text in texts.items()})


def options() -> dict[str, Option]:
    """Return the option of each threshold of the alert rules by field name, in the order of definition."""
    return {field.name: field.metadata["option"] for field in dataclasses.fields(AlertThresholds)}
