"""Reads the counters of the garbage collector, and measures how long it pauses the process."""

from __future__ import annotations

import gc
import time

from heap_exporter.model import CollectorState

GENERATIONS = 3


def read_collector() -> CollectorState:
    """Return the counters of the process's garbage collector; takes a microsecond and starts no collection."""
    stats, thresholds = gc.get_stats(), gc.get_threshold()
    return CollectorState(
        pending_objects=gc.get_count(),
        collections=tuple(generation["collections"] for generation in stats),
        uncollectable_objects=tuple(generation["uncollectable"] for generation in stats),
        frozen_objects=gc.get_freeze_count(),
        enabled=gc.isenabled() and thresholds[0] > 0,
        garbage_objects=len(gc.garbage),
        full_collections=stats[-1]["collections"] if thresholds[-1] else None,
    )


class PauseMeter:
    """Sums the time that the process spends in garbage collections, by generation, from ``gc.callbacks``.

    The interpreter runs one collection at a time, with the GIL, so the meter needs no lock. It must take none: a
    collection can start in any allocation of any thread, with any locks held.
    """

    def __init__(self) -> None:
        self.seconds = [0.0] * GENERATIONS
        self._began = 0.0

    def start(self) -> None:
        """Start to measure the garbage collections of the process, unless it has started."""
        if self._on_collection not in gc.callbacks:
            gc.callbacks.append(self._on_collection)

    def stop(self) -> None:
        """Stop measuring the garbage collections of the process, if it has started."""
        if self._on_collection in gc.callbacks:
            gc.callbacks.remove(self._on_collection)

    def _on_collection(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        elif self._began:
            self.seconds[info["generation"]] += time.perf_counter() - self._began
            self._began = 0.0
