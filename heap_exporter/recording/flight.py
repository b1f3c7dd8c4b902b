"""Keeps on disk what the process's memory does: its series for a replay, its last hour for after a crash."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from heap_exporter.model import MemoryLimits, Point, Reading
from heap_exporter.recording import series_recorder
from heap_exporter.recording.last_exit import open_black_box


class FlightRecorder:
    """Records in ``folder``, the one of the snapshots; ``last_exit`` is the end of a process before, if it left one.

    To be made on the thread that records, anew after a fork. No method raises.
    """

    def __init__(self, folder: Path, process_started_at: float | None, limits: MemoryLimits | None) -> None:
        self._ring, self.last_exit = open_black_box(folder, process_started_at, limits)
        self._evidence: Sequence[str] = ()
        self._series = series_recorder.SeriesRecorder(folder / series_recorder.FOLDER)

    def record(self, point: Point, reading: Reading, before: Reading) -> None:
        """Record a point, and what is new in its reading."""
        self._series.record(point)
        if self._ring is None:
            return
        self._ring.record(point, reading.detail.limits)
        if reading.verdict is not None and reading.verdict is not before.verdict:
            self._ring.record_verdict(reading.verdict)
        if reading.census is not None and reading.census is not before.census:
            self._ring.record_census(reading.census)

    def record_evidence(self, snapshot_ids: Sequence[str]) -> None:
        """Record which snapshots show what the process's memory does, unless they are the same as before."""
        if self._ring is not None and snapshot_ids != self._evidence:
            self._evidence = snapshot_ids
            self._ring.record_evidence(snapshot_ids)

    def finish(self) -> None:
        """Note that the process, or the exporter in it, ends in order."""
        self._series.close()
        if self._ring is not None:
            self._ring.finish()
