"""Keeps on disk what the process's memory does: its series for a replay, its last hour for after a crash."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from heap_exporter.model import Census, MemoryLimits, Point, Verdict
from heap_exporter.recording import series_recorder
from heap_exporter.recording.last_exit import open_black_box


class FlightRecorder:
    """Records in ``folder``, the one of the snapshots; ``last_exit`` is the end of a process before, if it left one.

    To be made on the thread that records, anew after a fork. No method raises.
    """

    def __init__(self, folder: Path, process_started_at: float | None, limits: MemoryLimits | None) -> None:
        self._ring, self.last_exit = open_black_box(folder, process_started_at, limits)
        self._snapshot_ids: Sequence[str] = ()
        self._series = series_recorder.SeriesRecorder(folder / series_recorder.FOLDER)

    def record(self, point: Point, limits: MemoryLimits | None, census: Census | None) -> None:
        """Record a point, the limits known with it, and the census if one was taken with it."""
        self._series.record(point)
        if self._ring is not None:
            self._ring.record(point, limits)
            if census is not None:
                self._ring.record_census(census)

    def record_verdict(self, verdict: Verdict) -> None:
        """Record the verdict on the last point."""
        if self._ring is not None:
            self._ring.record_verdict(verdict)

    def record_snapshots(self, snapshot_ids: Sequence[str]) -> None:
        """Record which snapshots show what the memory of the process does, unless they are the same as before."""
        if self._ring is not None and snapshot_ids != self._snapshot_ids:
            self._snapshot_ids = snapshot_ids
            self._ring.record_evidence(snapshot_ids)

    def finish(self) -> None:
        """Note that the process, or the exporter in it, ends in order."""
        self._series.close()
        if self._ring is not None:
            self._ring.finish()
