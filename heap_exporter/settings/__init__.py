"""All settings: their definitions, and how they are read from environment variables and keywords."""

from heap_exporter.settings.definitions import (
    MIN_SAMPLES_A_WINDOW,
    Settings,
    default_snapshot_dir,
    definitions,
    longest_interval,
)
from heap_exporter.settings.rule import Definition, variable

__all__ = [
    "MIN_SAMPLES_A_WINDOW",
    "Definition",
    "Settings",
    "default_snapshot_dir",
    "definitions",
    "longest_interval",
    "variable",
]
