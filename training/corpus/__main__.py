"""Prints a made series as CSV, for ``heap-exporter replay``: ``python -m training.corpus SEED INDEX > series.csv``."""

import sys

from heap_exporter.model import DetectorThresholds
from heap_exporter.recording.csv_format import HEADER, csv_row
from heap_exporter.settings import Settings
from training.corpus import Series, made_series


def print_csv(series: Series) -> None:
    """Print the points of a series with the thresholds of its window; what is known about it goes to stderr."""
    usual = Settings()
    thresholds = DetectorThresholds(
        series.window_seconds, usual.growth_threshold_percent, usual.min_slope_bytes_per_hour
    )
    print(HEADER, end="")
    for point in series.points():
        print(csv_row(point, None, thresholds), end="")
    leak = (
        f"leaks {series.bytes_per_hour:,.0f} bytes/h from {series.onset_seconds:,.0f} s" if series.leaks else "healthy"
    )
    print(f"{series.name}: {leak}", file=sys.stderr)


if __name__ == "__main__":
    print_csv(made_series(*map(int, sys.argv[1:])))
