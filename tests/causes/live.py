"""Runs one of the programs under the exporter, and prints its verdicts, one per line as JSON.

python -m tests.causes.live NAME
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading

import heap_exporter
from heap_exporter.model import Reading
from heap_exporter.report import reason_text

SAMPLES_A_STEP = 4


def run(name: str) -> None:
    """Run ``main`` of the program ``name``; each step takes :data:`SAMPLES_A_STEP` samples."""
    exporter = heap_exporter.start(
        http=False,
        growth_threshold=10,  # the interpreter alone varies by some percent of so small a process
        snapshot_on_leak=False,
        record=False,
    )
    sampled = threading.Semaphore(0)

    def print_verdict(reading: Reading) -> None:
        sampled.release()
        if verdict := reading.verdict:
            line = json.dumps([verdict.state, verdict.cause, reason_text.sentences(verdict)]) + "\n"
            os.write(1, line.encode())  # in one write, because a forked child writes too

    def step() -> None:
        for _ in range(SAMPLES_A_STEP):
            sampled.acquire()

    exporter.monitor.on_reading(print_verdict)
    importlib.import_module(f"tests.causes.{name}").main(step)


if __name__ == "__main__":
    run(*sys.argv[1:])
