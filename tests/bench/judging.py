"""Measures what the leak detector costs: CPU time of a judgement and of the replay of a day, and its memory.

The samples are those of a live process: one in 15 seconds for 24 hours, with all columns, a leak under noise.

Run it with ``make bench``.
"""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from heap_exporter.detection.detector import Detector
from heap_exporter.detection.growth_history import GrowthHistory
from heap_exporter.detection.leak_model import committed_model
from heap_exporter.model import Point
from heap_exporter.settings import Settings

MIB = 1024 * 1024
INTERVAL_SECONDS, SAMPLES = 15.0, 5760
TARGETS = {
    "judgement, features included, mean (ms)": 2.0,
    "replay of 24 hours (s)": 4.0,
    "memory of the model and a day's detector (MiB)": 3.0,
}


def day() -> list[Point]:
    """Return the samples of a day."""
    rng = random.Random(1)
    return [_point(sample, rng.gauss(0, 3)) for sample in range(SAMPLES)]


def _point(sample: int, noise_mib: float) -> Point:
    gained = sample / 8
    private = int((150 + gained + noise_mib) * MIB)
    return Point(
        sample * INTERVAL_SECONDS,
        private + 50 * MIB,
        heap_bytes=int((100 + gained) * MIB) if sample % 4 == 0 else None,
        anonymous_bytes=private,
        n_objects=100_000 + sample,
        allocated_blocks=1_000_000 + 100 * sample,
        malloc_used_bytes=int((50 + gained) * MIB),
        malloc_retained_bytes=MIB,
        pymalloc_used_bytes=100 * MIB,
        pymalloc_retained_bytes=MIB,
    )


def replay(points: Sequence[Point]) -> Detector:
    """Return a detector that has judged the points."""
    detector = Detector(Settings().detector_thresholds)
    for point in points:
        detector.observe(point)
    return detector


def judgements(points: Sequence[Point]) -> int:
    """Return how often growth is judged on the points."""
    history, judged = GrowthHistory(Settings().window_seconds), 0
    for point in points:
        history.add(point)
        judged += history.is_due
    return judged


def main() -> None:
    """Measure, and print the table."""
    points = day()
    count = judgements(points)
    committed_model()
    began = time.process_time()
    replay(points)
    seconds = time.process_time() - began
    committed_model.cache_clear()
    tracemalloc.start()
    detector = replay(points)
    kept, _ = tracemalloc.get_traced_memory()
    del detector
    measured = (seconds / count * 1000, seconds, kept / MIB)
    table = Table(title=f"the leak detector: {SAMPLES:,} samples, judged {count:,} times")
    for column in ("what", "measured", "at most"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for (name, most), value in zip(TARGETS.items(), measured, strict=True):
        table.add_row(name, f"{value:.2f}", f"{most:.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
