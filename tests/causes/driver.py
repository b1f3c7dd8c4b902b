"""Runs one of the programs, and prints its points as a series: one after each growth.

python -m tests.causes.driver NAME
"""

from __future__ import annotations

import importlib
import sys

from heap_exporter.detection import history
from heap_exporter.errors import SourceMissing
from heap_exporter.probes.sampler import Sampler
from heap_exporter.recording.csv_format import HEADER, csv_row
from tests.heaps import walks


def run(name: str) -> None:
    """Run ``main`` of the program ``name``; each step is a minute."""
    walker = walks.chosen("native")
    lines = [HEADER]

    def step() -> None:
        try:
            census = walker.census()
        except SourceMissing:
            census = None
        sampler = Sampler()  # a new one, because steps are faster than the interval of the slow sources
        point = history.point(sampler.sample(None), sampler.detail(), census, restart=len(lines) == 1)
        assert point is not None
        lines.append(csv_row(point._replace(t_seconds=60.0 * len(lines))))

    importlib.import_module(f"tests.causes.{name}").main(step)
    print("".join(lines), end="", flush=True)


if __name__ == "__main__":
    run(*sys.argv[1:])
