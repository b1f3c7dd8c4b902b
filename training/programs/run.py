"""Runs one of the programs and records its memory: ``python -m training.programs.run``, started by training.record."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import threading
import time
from pathlib import Path
from random import Random

from heap_exporter.detection.history import point
from heap_exporter.model import DetectorThresholds
from heap_exporter.probes.sampler import Sampler
from heap_exporter.recording.csv_format import csv_row
from heap_exporter.walker.fallback_walker import choose_walker

CENSUS_SAMPLES = 10
IMPORT_SAMPLES = 6
"""Samples during which a program imports its modules: growth counts from then on."""

GROWTH_PERCENT, MIN_SLOPE_BYTES_PER_HOUR = 1.0, 8 * 1024 * 1024.0


class Recorder(threading.Thread):
    """Appends a sample to a file every ``interval`` seconds, at times that count from ``began`` on."""

    def __init__(self, path: Path, began: float, window: float, interval: float, max_growth: float) -> None:
        super().__init__(daemon=True)
        self._file = path.open("a", buffering=1)
        self._began = began
        self._thresholds = DetectorThresholds(window, GROWTH_PERCENT, MIN_SLOPE_BYTES_PER_HOUR)
        self._interval = interval
        self._max_growth = max_growth
        self._sampler, self._walker = Sampler(), choose_walker()

    def run(self) -> None:
        start, number, settled = time.monotonic(), 0, 0
        while True:
            size = self._sample(number)
            settled = size if number <= IMPORT_SAMPLES else settled
            if size > settled + self._max_growth:
                os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does at the memory limit
            number += 1
            time.sleep(max(start + number * self._interval - time.monotonic(), 0.01))

    def _sample(self, number: int) -> int:
        """Record a sample and return its resident bytes."""
        sample = self._sampler.sample(None)
        is_slow = number % CENSUS_SAMPLES == 0
        detail = self._sampler.detail() if is_slow else None
        made = point(sample, detail, self._walker.census() if is_slow else None, restart=number == 0)
        assert made is not None
        seconds = round(time.monotonic() - self._began, 3)
        self._file.write(csv_row(made._replace(t_seconds=seconds), None, self._thresholds))
        return made.rss_bytes


def main() -> None:
    """Run a program until the time is over, and exit at once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", help="MODULE.FUNCTION of training.programs")
    parser.add_argument("seed")
    parser.add_argument("path", type=Path)
    parser.add_argument("--began", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--window", type=float, required=True)
    parser.add_argument("--interval", type=float, required=True)
    parser.add_argument("--max-growth", type=float, required=True, help="bytes; a process that grows more is killed")
    options = parser.parse_args()
    module, _, function = options.program.partition(".")
    steps = getattr(importlib.import_module(f"training.programs.{module}"), function)(Random(options.seed))
    end = time.monotonic() + options.seconds
    Recorder(options.path, options.began, options.window, options.interval, options.max_growth).start()
    while time.monotonic() < end:
        time.sleep(min(next(steps), max(end - time.monotonic(), 0)))
    os._exit(0)


if __name__ == "__main__":
    main()
