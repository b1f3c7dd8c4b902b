"""The type of options that are durations."""

from __future__ import annotations

import argparse

from heap_exporter.errors import SettingsError
from heap_exporter.runtime.quantities import DAY_SECONDS, DURATION, short_duration


def option_seconds(text: str) -> float:
    """Return the seconds of a command's option: more than zero, and at most a day."""
    try:
        seconds = DURATION.read("", text)
    except SettingsError:
        raise argparse.ArgumentTypeError(f"it must be {DURATION.example}, not {text!r}") from None
    if not 0 < seconds <= DAY_SECONDS:
        raise argparse.ArgumentTypeError(f"it must be more than 0s and at most {short_duration(DAY_SECONDS)}")
    return seconds
