"""Reads, keeps, judges and proves, on one thread: everything but telling."""

from __future__ import annotations

import dataclasses
import functools
import threading
import time
from collections.abc import Callable

from heap_exporter.detection.detector import DetectorThresholds
from heap_exporter.detection.history import History
from heap_exporter.detection.judge import Judge
from heap_exporter.export.type_series import TypeSeries
from heap_exporter.investigation import memory_pressure
from heap_exporter.investigation.investigation import PIN_SECONDS
from heap_exporter.investigation.investigator import Evidence
from heap_exporter.model import Census, Counters, LeakAlert, Reading, SnapshotInfo, Verdict
from heap_exporter.notify.listeners import LeakListener, LeakListeners
from heap_exporter.notify.notifier import Notifier
from heap_exporter.probes import process
from heap_exporter.probes.collector import PauseMeter
from heap_exporter.probes.limits import read_limits
from heap_exporter.probes.sources import Sources
from heap_exporter.recording.flight import FlightRecorder
from heap_exporter.runtime import forks
from heap_exporter.runtime.threads import start_thread
from heap_exporter.settings import Settings
from heap_exporter.snapshot.service import Snapshots
from heap_exporter.snapshot.store import Store
from heap_exporter.upload.uploads import Uploads
from heap_exporter.walker.choose import choose_walker

STOP_SECONDS = 1.0
"""How long stopping waits for the sampling thread unless told otherwise."""

FORK_GRACE_SECONDS = 1.0
"""How long a forked child is left alone: most children exec or end sooner, and should not pay for a walk or a port."""


class HeapMonitor:
    """Samples the process, takes censuses, judges growth, and takes a snapshot when a leak is suspected.

    ``on("leak", listener)`` has the listener called with a :class:`~heap_exporter.model.LeakAlert`, on a thread of
    the listener's own. In a forked child it begins anew by itself; ``in_child()`` is then called on the new thread.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.load()
        self._leak_listeners = LeakListeners()
        self.in_child: Callable[[], None] = lambda: None
        self._reading_listeners: list[Callable[[Reading], None]] = []
        self._thread: threading.Thread | None = None
        self._reset()

    def _reset(self) -> None:
        """Lay everything that belongs to this process anew: locks, events, counts, history."""
        settings = self.settings
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._sources = Sources()
        self._walker = choose_walker(
            settings.walker,
            self,
            given_up=self._stopping.is_set,
            keys=settings.snapshot_keys,
            timeout_seconds=settings.walk_timeout_seconds,
        )
        self._pauses = PauseMeter()
        self._next_slow_at = 0.0
        self._threads_cpu_seconds = self._threads_cpu_before = 0.0
        self._pushes: dict[str, int] = {}
        started_at = self._sources.read("process", process.read_start_time)
        self._type_series = TypeSeries()
        self._alerts = 0
        self._notifier = Notifier(settings, self._leak_listeners)
        self._flight: FlightRecorder | None = None
        self._judge = Judge(
            DetectorThresholds(
                settings.window_seconds, settings.growth_threshold_percent, settings.min_slope_bytes_per_hour
            ),
            settings.interval_seconds,
            settings.max_samples,
        )
        self._reset_snapshots(started_at)
        self._reading = Reading(
            started_at=time.time(),
            process_started_at=started_at,
            sample=self._sources.sample(started_at),
            census_interval_seconds=settings.census_interval_seconds,
            walker=self._walker.chosen,
        )

    def _reset_snapshots(self, process_started_at: float | None) -> None:
        settings = self.settings
        store = Store(
            settings.snapshot_dir, settings.snapshot_keep, settings.snapshot_max_bytes, settings.free_disk_bytes
        )
        self.snapshots = Snapshots(
            self._walker,
            store,
            self._headroom_bytes,
            last_census=lambda: self._reading.census,
            keys=settings.snapshot_keys,
            compare_max_objects=settings.compare_max_objects,
            process_started_at=process_started_at,
            wake=self._wake.set,
        )
        self._uploads = Uploads(
            settings.upload_url, store, self._headroom_bytes, remove_local=settings.upload_remove_local
        )
        self._evidence = Evidence(settings, self.snapshots, self._sources, self._tell, self._limit_bytes)

    @property
    def history(self) -> History:
        """Return the points of the past."""
        return self._judge.history

    @property
    def running(self) -> bool:
        """Return whether the sampling thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the sampling thread; one that runs already goes on."""
        if not self.running:
            self._stopping.clear()
            self._notifier = Notifier(self.settings, self._leak_listeners)  # one that was stopped tells no more
            self._start(self._run)

    def _start(self, run: Callable[[], None]) -> None:
        forks.register(self)
        self._pauses.start()
        self._thread = start_thread("sampler", run)

    def ask_to_stop(self) -> None:
        """Have the sampling thread end soon; a walk under way is given up."""
        forks.unregister(self)
        self._stopping.set()
        self._wake.set()
        self._pauses.stop()
        self._notifier.ask_to_stop()

    def stop(self, deadline: float | None = None) -> None:
        """End the sampling thread, at the latest at ``deadline`` (monotonic seconds); the last reading stays."""
        self.ask_to_stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            wait = STOP_SECONDS if deadline is None else deadline - time.monotonic()
            self._thread.join(max(wait, 0))
        if self._flight:
            self._flight.finish()
        if not self.running:
            self._flight = None  # and with it its descriptors; a thread that still runs may write to them
        self._notifier.stop(time.monotonic() + STOP_SECONDS if deadline is None else deadline)

    def after_fork(self) -> None:
        """In a forked child, where no thread survived: begin anew with the child's own figures."""
        self._pauses.stop()
        self._thread = None
        self._reset()
        self._start(self._run_in_child)

    def on(self, event: str, listener: LeakListener) -> None:
        """Have ``listener`` called at each ``"leak"``. Raises ``ValueError`` for any other event."""
        self._leak_listeners.add(event, listener)

    def on_reading(self, listener: Callable[[Reading], None]) -> None:
        """Have ``listener`` called with the newest reading now, and with each one to come."""
        self._reading_listeners.append(listener)
        listener(self._reading)

    def count_push(self, outcome: str) -> None:
        """Count an OTLP push; the count is told with the next reading."""
        self._pushes[outcome] = self._pushes.get(outcome, 0) + 1

    def reading(self) -> Reading:
        """Return everything known now; takes no lock and reads nothing."""
        return self._reading

    def verdict(self) -> Verdict | None:
        """Return the last verdict, ``None`` before the first."""
        return self._reading.verdict

    def census(self) -> Census:
        """Walk the heap now, on the calling thread. Raises :class:`~heap_exporter.errors.SourceMissing`."""
        return self._walker.census()

    def snapshot(self, reason: str = "asked for by the application") -> SnapshotInfo:
        """Take a snapshot now, on the calling thread. Raises :class:`~heap_exporter.errors.SnapshotError`."""
        return self.snapshots.take(reason)

    def _run_in_child(self) -> None:
        self._stopping.wait(FORK_GRACE_SECONDS)
        if not self._stopping.is_set():
            self.in_child()
            self._run()

    def _run(self) -> None:
        self._threads_cpu_before = self._threads_cpu_seconds
        self._sources.read("record", self._open_records)
        next_at = time.monotonic()
        while not self._stopping.is_set():
            self._sources.read("judge", self._tick)
            self._serve_wakes_until(next_at := max(next_at + self.settings.interval_seconds, time.monotonic()))
        self.snapshots.give_up()
        self._uploads.give_up()

    def _open_records(self) -> None:
        """Clear up what the dead left in the folder, and begin to record."""
        self.snapshots.clean_up()
        if not self.settings.record:
            return
        limits = self._sources.read("limits", read_limits)
        self._flight = FlightRecorder(self.settings.snapshot_dir, self._reading.process_started_at, limits)
        last_exit = self._flight.last_exit
        for snapshot_id in last_exit.snapshots if last_exit else ():
            self.snapshots.store.pins.pin(snapshot_id, "crash", PIN_SECONDS)
        self._publish(dataclasses.replace(self._reading, last_exit=last_exit))

    def _serve_wakes_until(self, moment: float) -> None:
        """Wait for the next sample, taking the snapshots that are asked for meanwhile."""
        while not self._stopping.is_set() and (left := moment - time.monotonic()) > 0:
            if self._wake.wait(left):
                self._wake.clear()
                self._sources.read("judge", self._serve_wake)

    def _serve_wake(self) -> None:
        self.snapshots.take_pending()
        self._publish(self._reading)

    def _tick(self) -> None:
        """Read, keep, judge, tell, and secure what proves it."""
        sample = self._sources.sample(self._reading.process_started_at)
        before = self._reading
        reading = dataclasses.replace(
            before, sample=sample, detail=memory_pressure.watched(before.detail, self._sources)
        )
        if self._evidence.is_limit_near(reading, self.history.points()) or time.monotonic() >= self._next_slow_at:
            reading = self._read_slow(reading)
        self.snapshots.poll()
        self._uploads.poll()
        self._notifier.poll()
        point, verdict = self._judge.judge(reading, before)
        reading = dataclasses.replace(reading, verdict=verdict)
        self._publish(reading)
        if self._flight and point:
            self._flight.record(point, reading, before)
        self._judge.add_finding(self._evidence.attend(reading))
        self._evidence.attend_limit()
        self._record_evidence()

    def _read_slow(self, reading: Reading) -> Reading:
        """Take the slow readings, and put off the next ones for as long as their cost asks."""
        began, clones_began = time.thread_time(), self._walker.clone_cpu_seconds
        detail = self._sources.detail()
        census = self._sources.read("census", self._walker.census)
        types = self._type_series.choose(census, self._judge.add_census(census)) if census else ()
        cost = time.thread_time() - began + self._walker.clone_cpu_seconds - clones_began
        interval = max(self.settings.census_interval_seconds, cost * 100 / self.settings.census_cpu_percent)
        self._next_slow_at = time.monotonic() + interval
        return dataclasses.replace(reading, detail=detail, census=census, types=types, census_interval_seconds=interval)

    def _publish(self, reading: Reading) -> None:
        self._threads_cpu_seconds = self._threads_cpu_before + time.thread_time()
        counters = Counters(
            sample_errors=dict(self._sources.errors),
            snapshots=dict(self.snapshots.outcomes),
            detections=self._judge.detections,
            alerts=self._alerts,
            webhooks=dict(self._notifier.webhooks),
            listeners=dict(self._leak_listeners.outcomes),
            pushes=dict(self._pushes),
            walk_failures=self._walker.failures,
            gc_pause_seconds=tuple(self._pauses.seconds),
            uploads=dict(self._uploads.outcomes),
            cpu_seconds=self._threads_cpu_seconds + self._walker.clone_cpu_seconds,
        )
        self._reading = dataclasses.replace(
            reading, counters=counters, snapshot=self.snapshots.last, walker=self._walker.chosen
        )
        for listener in self._reading_listeners:
            self._sources.read("judge", functools.partial(listener, self._reading))

    def _tell(self, alert: LeakAlert) -> None:
        """Tell of a confirmed leak."""
        self._alerts += 1
        self._publish(dataclasses.replace(self._reading, alert=alert))
        self._notifier.tell(alert)

    def _record_evidence(self) -> None:
        """Record which snapshots tell of the last alert, and which of what came then."""
        if self._flight:
            alert = self._reading.alert
            told = alert.snapshots if alert else ()
            self._flight.record_evidence(list(dict.fromkeys(info.id for info in (*told, *self._evidence.snapshots))))

    def _headroom_bytes(self) -> int | None:
        limits = self._sources.read("limits", read_limits)
        return limits.headroom_bytes if limits else None

    def _limit_bytes(self) -> int | None:
        limits = self._reading.detail.limits
        return limits.limit_bytes if limits else None
