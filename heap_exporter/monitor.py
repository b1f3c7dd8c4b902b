"""The sampling thread of a process: starts and stops it, and starts a new one in a forked child."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable

from heap_exporter.allocations import AllocationSampler
from heap_exporter.detection.history import History
from heap_exporter.model import Census, LostGrowth, Reading, SnapshotInfo, Verdict
from heap_exporter.notify.listeners import LeakEvent, LeakListener, LeakListeners
from heap_exporter.notify.notifier import Notifier
from heap_exporter.pipeline import Pipeline, ReadingListener
from heap_exporter.probes.garbage_collector import PauseMeter
from heap_exporter.runtime import forks
from heap_exporter.runtime.threads import are_green, start_thread
from heap_exporter.settings import Settings
from heap_exporter.snapshot.budget import Budget
from heap_exporter.snapshot.service import Snapshots
from heap_exporter.walker.fallback_walker import choose_walker

STOP_SECONDS = 1.0
"""How long :meth:`HeapMonitor.stop` waits for the sampling thread by default."""

FORK_GRACE_SECONDS = 1.0
"""Time before a forked child is sampled: most children exec or end sooner, and should not pay for a walk or a port."""


class HeapMonitor:
    """Samples the process, takes censuses, judges growth, and takes a snapshot when a leak is suspected.

    ``on("leak", listener)`` calls the listener with each :class:`~heap_exporter.model.LeakAlert`, on a thread of its
    own. In a forked child the monitor starts anew by itself, and calls ``on_child_start()`` on the new thread.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.load()
        self.on_child_start: Callable[[], None] = lambda: None
        self._leak_listeners = LeakListeners()
        self._reading_listeners: list[ReadingListener] = []
        self._reset()

    def _reset(self) -> None:
        """Make what the monitor of one process needs: its events, its pipeline and the meter of pauses."""
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._pauses = PauseMeter()
        settings = self.settings
        walker = choose_walker(
            settings.walker,
            self,
            is_stopping=self._stopping.is_set,
            keys=settings.snapshot_keys,
            timeout_seconds=settings.walk_timeout_seconds,
        )
        self._pipeline = Pipeline(
            settings,
            walker,
            Notifier(settings, self._leak_listeners),
            pauses=self._pauses,
            listeners=self._reading_listeners,
            wake=self._wake.set,
        )

    @property
    def history(self) -> History:
        """Return the history of points that the monitor has sampled."""
        return self._pipeline.history

    @property
    def snapshots(self) -> Snapshots:
        """Return the service that takes the snapshots for the monitor."""
        return self._pipeline.snapshots

    def alert_budget(self) -> Budget:
        """Return the budget of the snapshots that the monitor's processes take for alerts of Alertmanager."""
        settings = self.settings
        return Budget(self.snapshots.store, settings.snapshot_cooldown_seconds, settings.snapshots_a_day)

    @property
    def allocations(self) -> AllocationSampler:
        """Return the sampler of allocations, which this monitor starts and stops as the settings say."""
        return self._pipeline.allocations

    def lost(self) -> LostGrowth | None:
        """Search for memory that C code has lost now, on the calling thread; return what grew since the first search.

        ``None`` before the second search, or if this one was not possible.
        """
        search = self._pipeline.lost
        return search.growth() if search.search() is not None else None

    @property
    def running(self) -> bool:
        """Return whether the sampling thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the monitor's sampling thread, unless it runs already."""
        if not self.running:
            self._stopping.clear()
            counts = self._pipeline.notifier.webhooks  # a stopped notifier sends nothing
            self._pipeline.notifier = Notifier(self.settings, self._leak_listeners, counts)
            self._start(self._run)
            self.take_slot()

    def start_in_children(self) -> None:
        """Start the monitor in each process that this one forks, and not in this one."""
        forks.register(self)

    def _start(self, run: Callable[[], None]) -> None:
        """Start the sampling thread, and measure the pauses of the garbage collector."""
        self._thread = start_thread("sampler", run)  # first, because it may fail
        forks.register(self)
        self._pauses.start()

    def take_slot(self) -> None:
        """Take the slot of this process in its fleet now, in a forked child before the grace period has ended."""
        self._pipeline.take_slot()

    def request_stop(self) -> None:
        """Signal the sampling thread to end; a heap walk under way is cancelled."""
        forks.unregister(self)
        self._stopping.set()
        self._wake.set()
        self._pauses.stop()
        self._pipeline.notifier.request_stop()

    def stop(self, deadline: float | None = None) -> None:
        """End the sampling thread, at the latest at ``deadline`` (monotonic seconds); the last reading stays."""
        self.request_stop()
        self._join_thread(max(STOP_SECONDS if deadline is None else deadline - time.monotonic(), 0))
        self._pipeline.finish_recording(close=not self.running)
        self._pipeline.release_slot()
        self._pipeline.notifier.stop(time.monotonic() + STOP_SECONDS if deadline is None else deadline)

    def _join_thread(self, seconds: float | None = None) -> None:
        """Wait for the end of the sampling thread, unless this is that thread."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def after_fork(self) -> None:
        """Start a new sampling thread in a forked child, where no thread survived."""
        self._pauses.stop()
        self.allocations.after_fork()
        self.allocations.stop()
        self._reset()
        self._start(functools.partial(self._run_in_child, is_native=not are_green()))

    def on(self, event: LeakEvent, listener: LeakListener) -> None:
        """Have the monitor call ``listener`` at each ``"leak"``. Raises ``ValueError`` for any other event."""
        self._leak_listeners.add(event, listener)

    def on_reading(self, listener: ReadingListener) -> None:
        """Call ``listener`` with the newest reading now, and with each later one on the sampling thread."""
        self._reading_listeners.append(listener)
        listener(self.reading())

    def count_push(self, outcome: str) -> None:
        """Count an OTLP push; the next reading of the monitor contains the count."""
        self._pipeline.count_push(outcome)

    def reading(self) -> Reading:
        """Return the newest reading of the sampling thread; takes no lock and measures nothing."""
        return self._pipeline.reading

    def verdict(self) -> Verdict | None:
        """Return the last verdict of the sampling thread, ``None`` before the first."""
        return self.reading().verdict

    def census(self) -> Census:
        """Take a census now, on the calling thread, not on the sampling thread.

        Raises :class:`~heap_exporter.errors.SourceMissing`.
        """
        return self._pipeline.walker.census()

    def snapshot(self, reason: str = "requested by the application") -> SnapshotInfo:
        """Take a snapshot now, on the calling thread, not on the sampling thread.

        Raises :class:`~heap_exporter.errors.SnapshotError`.
        """
        return self.snapshots.take(reason)

    def _run_in_child(self, *, is_native: bool) -> None:
        """Wait for the grace period after a fork, then start the exports and sample, on the sampling thread.

        If gevent has replaced threads meanwhile, as in gunicorn's worker, all starts anew with those of gevent: locks
        of before would block them. They run while this thread waits, and the application's do not wait for them.
        """
        self._stopping.wait(FORK_GRACE_SECONDS)
        if self._stopping.is_set():
            return
        if is_native and are_green() and self.reading().member is None:
            forks.reset()
            self._join_thread()
            return
        self.take_slot()
        self.on_child_start()
        self._run()

    def _run(self) -> None:
        """Run the pipeline at every interval until the monitor stops; the target of the sampling thread."""
        pipeline = self._pipeline
        pipeline.take_slot()
        pipeline.begin()
        next_at = time.monotonic()
        while not self._stopping.is_set():
            pipeline.tick()
            self._take_snapshots_until(next_at := max(next_at + self.settings.interval_seconds, time.monotonic()))
        pipeline.end()

    def _take_snapshots_until(self, moment: float) -> None:
        """Wait for the time of the next sample (monotonic seconds), and take the snapshots reserved meanwhile."""
        while not self._stopping.is_set() and (left := moment - time.monotonic()) > 0:
            if self._wake.wait(left):
                self._wake.clear()
                self._pipeline.take_pending()
