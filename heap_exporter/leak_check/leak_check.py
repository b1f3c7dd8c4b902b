"""Repeats a scenario until its growth stops or is proven, as LeakCanary does: batches between snapshots."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from heap_exporter import analysis
from heap_exporter.analysis import Heap
from heap_exporter.analysis.repeated_growth import FoundLeak, IsLeftOut, RepeatedGrowth, some_type_grew
from heap_exporter.leak_check.process_snapshot import ProcessSnapshots
from heap_exporter.model import Census

WARMUPS = 3
REPEATS = 10
BATCH_FACTOR = 3
BATCHES = 3
"""By default 3 repetitions fill caches; then batches of 10, 30 and 90 follow, for as long as something grows.

Together these fill the default cache of ``functools.lru_cache``, which has 128 entries.
"""


@dataclass
class _Look:
    """The state of this process at one moment: the census shows whether the snapshot needs to be analysed."""

    census: Census
    path: Path

    @cached_property
    def heap(self) -> Heap:
        return analysis.open(self.path)


class LeakCheck:
    """One check of a scenario.

    Iterate over :meth:`repetitions` and run the scenario once each time, or use :meth:`block`. Then ``leaks`` has what
    it leaks, and ``before`` and ``after`` are the first and the last snapshot, until :meth:`close`. ``repeats`` is the
    number of repetitions in the first batch; each further batch has three times as many. Nothing below an object for
    which ``is_left_out`` is true counts. ``collector_was_on`` is whether the garbage collector
    was on before the scenario.
    """

    def __init__(
        self, is_left_out: IsLeftOut, *, warmups: int = WARMUPS, repeats: int = REPEATS, collector_was_on: bool = True
    ) -> None:
        self._warmups = warmups
        self._repeats = repeats
        self.leaks: tuple[FoundLeak, ...] = ()
        self.total_repetitions = 0
        self.before: Path | None = None
        self.after: Path | None = None
        self._folder = TemporaryDirectory(prefix="heap-exporter-check-", ignore_cleanup_errors=True)
        self._snapshots = ProcessSnapshots(Path(self._folder.name), self)
        self._is_left_out = is_left_out
        self._growth = RepeatedGrowth(is_left_out)
        self._collector_was_on = collector_was_on

    def repetitions(self) -> Iterator[int]:
        """Yield the number of each repetition.

        Raises ``OSError`` and :class:`~heap_exporter.errors.HeapExporterError` if a snapshot cannot be taken or read.
        """
        self._look()  # imports what later ones need
        yield from self._batch(self._warmups)
        self.before, earlier = None, self._look()
        for batch in range(BATCHES):
            count = self._repeats * BATCH_FACTOR**batch
            yield from self._batch(count)
            later = self._look()
            if not some_type_grew(earlier.census, later.census, count):
                return
            if not self._growth.add_batch(earlier.heap, later.heap, count):
                return
            earlier = later
        self.leaks = self._growth.leaks()

    @contextmanager
    def block(self) -> Iterator[None]:
        """Compare the snapshots before and after a block that repeats a scenario itself, as a service compares two."""
        self._look()  # imports what later ones need
        self.before, earlier = None, self._look()
        yield
        found = analysis.compare(earlier.heap, self._look().heap).suspects
        self.leaks = tuple(FoundLeak(each, 1) for each in found if not any(self._is_left_out(s, "") for s in each.path))

    def close(self) -> None:
        """Remove the snapshots of the check."""
        self._folder.cleanup()

    def _batch(self, count: int) -> Iterator[int]:
        for _ in range(count):
            self.total_repetitions += 1
            yield self.total_repetitions

    def _look(self) -> _Look:
        """Return a census and a snapshot, after a collection, unless the scenario has turned the collector off."""
        if gc.isenabled() or not self._collector_was_on:
            gc.collect()
        path = self._snapshots.take(f"{self.total_repetitions}-repetitions")
        census = self._snapshots.census()  # after the snapshot: taking the first one imports what it needs
        self.before = self.before or path
        self.after = path
        return _Look(census, path)
