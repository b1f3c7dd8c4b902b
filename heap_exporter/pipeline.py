"""The stages that a sample runs through, in order: read → record → judge → investigate → notify."""

from __future__ import annotations

import dataclasses
import functools
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from heap_exporter.allocations import AllocationSampler
from heap_exporter.detection.history import History, point_of
from heap_exporter.detection.judge import Judge
from heap_exporter.errors import AllocationsUnavailable
from heap_exporter.export.type_series import TypeSeries
from heap_exporter.fleet.open_alerts import OpenAlerts
from heap_exporter.fleet.slots import Slot, take_slot
from heap_exporter.investigation.stage import InvestigationStage
from heap_exporter.model import (
    Census,
    Counters,
    Finding,
    LeakAlert,
    Point,
    Reading,
    Role,
    SnapshotInfo,
    TypeCount,
    Verdict,
)
from heap_exporter.notify.notifier import Notifier
from heap_exporter.probes.garbage_collector import PauseMeter
from heap_exporter.probes.sampler import PROBES, Sampler
from heap_exporter.recording.earlier_runs import read_earlier_runs
from heap_exporter.recording.exit_claim import claim_last_exit
from heap_exporter.recording.recorder import Recorder
from heap_exporter.runtime.error_boundary import ErrorBoundary
from heap_exporter.runtime.logs import log
from heap_exporter.settings import Settings
from heap_exporter.snapshot.lost_search import LostSearch
from heap_exporter.snapshot.retention import ALERT_PIN_SECONDS
from heap_exporter.snapshot.service import Snapshots
from heap_exporter.snapshot.store import Store
from heap_exporter.upload import OUTCOMES as UPLOAD_OUTCOMES
from heap_exporter.walker.fallback_walker import ChosenWalker

if TYPE_CHECKING:
    from heap_exporter.upload.upload_scheduler import UploadScheduler

STAGES = ("read", "record", "judge", "investigate", "notify", "publish", "snapshot")
"""The names under which ``heap_exporter_sample_errors_total`` counts the stages.

``read`` is all of reading but the probes; ``snapshot`` is all that is done with snapshots in the background.
"""

ReadingListener = Callable[[Reading], None]


class Taken(NamedTuple):
    """What the read stage returns: the reading, its point to record and to judge, and its census if that is new."""

    reading: Reading
    point: Point | None
    census: Census | None


class Pipeline:
    """The stages of one process. :meth:`tick` takes a sample and runs all stages on it.

    Each stage takes what the stages before it returned, and none calls back. What the investigate stage finds in two
    snapshots is read with a later sample, as a value of its point, so that a replay judges the same. A stage that
    raises is counted under its own name and logged at most once an hour; the others run all the same, and what was
    read is published in any case. No method raises. All run on the sampling thread, but for :meth:`take_slot`,
    :meth:`release_slot`, :meth:`finish_recording` and :meth:`count_push`; any thread may read :attr:`reading`.
    """

    def __init__(
        self,
        settings: Settings,
        walker: ChosenWalker,
        notifier: Notifier,
        *,
        pauses: PauseMeter,
        listeners: list[ReadingListener],
        wake: Callable[[], None],
    ) -> None:
        self._settings = settings
        self.walker = walker
        self._pauses = pauses
        self._listeners = listeners
        self.notifier = notifier
        self._pushes: dict[str, int] = {}
        self._boundary = ErrorBoundary((*PROBES, *STAGES))
        self._sampler = Sampler(self._boundary)
        self._next_slow_at = 0.0
        self._cpu_seconds = self._earlier_cpu_seconds = 0.0
        self.history = History(
            max(settings.max_samples, math.ceil(settings.window_seconds / settings.interval_seconds))
        )
        self._recorder: Recorder | None = None
        self._thresholds = settings.detector_thresholds
        self._judge = Judge(self._thresholds)
        self._type_series = TypeSeries()
        self._finding: Finding | None = None
        self._investigated: Sequence[SnapshotInfo] = ()
        self._alerts = 0
        self._open_alerts = OpenAlerts(settings.snapshot_dir)
        self._slot: Slot | None = None
        self._slot_lock = threading.Lock()
        started_at = self._sampler.start_time()
        self._build_snapshots(started_at, wake)
        self.reading = Reading(
            started_at=time.time(),
            process_started_at=started_at,
            sample=self._sampler.sample(started_at),
            census_interval_seconds=settings.census_interval_seconds,
            walker=walker.chosen,
        )

    def _build_snapshots(self, process_started_at: float | None, wake: Callable[[], None]) -> None:
        """Make what the stages of the pipeline use to take, store, upload and investigate snapshots."""
        settings = self._settings
        self.allocations = AllocationSampler(settings.allocations_interval_bytes, settings.allocations_cpu_percent)
        self.lost = LostSearch(self.walker, is_wanted=settings.lost, max_bytes=settings.lost_max_bytes)
        store = Store(
            settings.snapshot_dir, settings.snapshot_keep, settings.snapshot_max_size_bytes, settings.free_disk_bytes
        )
        self.snapshots = Snapshots(
            self.walker,
            store,
            self._sampler.headroom_bytes,
            last_census=lambda: self.reading.census,
            keys=settings.snapshot_keys,
            compare=settings.compare_snapshots,
            process_started_at=process_started_at,
            allocations=self.allocations.profile,
            lost=self.lost.search,
            service=settings.service,
            wake=wake,
        )
        self._uploads: UploadScheduler | None = None
        if settings.upload_url:
            from heap_exporter.upload.upload_scheduler import UploadScheduler

            self._uploads = UploadScheduler(
                settings.upload_url, store, self._sampler.headroom_bytes, remove_local=settings.upload_remove_local
            )
        self._investigator = InvestigationStage(settings, self.snapshots, self._sampler, self.allocations)

    def take_slot(self) -> None:
        """Take the slot of this process in the fleet, unless it has one; without it no metric is exported.

        The sampling thread calls this before it replaces the first reading, so another thread may call it at any time.
        """
        with self._slot_lock:
            if self._slot is None:
                self._slot = take_slot(
                    self._settings.snapshot_dir, self._settings.service, started_at=self.reading.process_started_at
                )
                self.reading = dataclasses.replace(self.reading, member=self._slot.member, role=self._role())

    def release_slot(self) -> None:
        """Give up the slot of this process in the fleet; the last reading stays."""
        with self._slot_lock:
            if self._slot is not None:
                self._slot.release()
                self._slot = None

    def begin(self) -> None:
        """Prepare the pipeline on a new sampling thread: clean up the snapshot folder, and open the recording."""
        self._earlier_cpu_seconds = self._cpu_seconds
        self._boundary.run("snapshot", self.snapshots.clean_up)
        self._boundary.run("record", self._open_recorder)
        if self._settings.allocations == "always":
            self._boundary.run("investigate", self._start_allocations)

    def tick(self) -> None:
        """Run all stages of the pipeline once: take a sample, record it, judge it, investigate and notify."""
        run, before = self._boundary.run, self.reading
        self._poll()
        taken = run("read", lambda: self._read(before))
        if taken is None:
            self._publish(before)
            return
        run("record", lambda: self._record(taken))
        verdict = run("judge", lambda: self._judge_point(taken))
        reading = dataclasses.replace(
            taken.reading,
            verdict=before.verdict if taken.point is None else verdict,
            types=run("publish", lambda: self._types(taken)) or (),
        )
        self._publish(reading)
        run("record", lambda: self._record_verdict(verdict))
        outcome = run("investigate", lambda: self._investigator.investigate(verdict, reading))
        if taken.census is not None:
            run("notify", self._resolve_alerts_of_ended)
        if outcome is None:
            return
        if outcome.has_ended:
            run("notify", self._resolve_alert)
        if outcome.alert is not None:
            self._notify(outcome.alert)
        self._investigated = outcome.snapshots
        run("record", lambda: self._record_snapshots(outcome.snapshots))

    def take_pending(self) -> None:
        """Take the snapshot that another thread has reserved, if there is one, and publish the new counts."""
        self._boundary.run("snapshot", self.snapshots.take_pending)
        self._publish(self.reading)
        self._boundary.run("record", lambda: self._record_snapshots(self._investigated))

    def end(self) -> None:
        """End the pipeline on the sampling thread: cancel what waits, and leave no subprocess to wait for."""
        self._boundary.run("snapshot", self.snapshots.give_up)
        if self._uploads is not None:
            self._boundary.run("snapshot", self._uploads.give_up)
        self._boundary.run("investigate", self.allocations.stop)

    def count_push(self, outcome: str) -> None:
        """Count an OTLP push; the next reading that the pipeline publishes has the count."""
        self._pushes[outcome] = self._pushes.get(outcome, 0) + 1

    def finish_recording(self, *, close: bool) -> None:
        """End the record stage: note a clean stop. ``close`` also closes the files: no thread may write to them."""
        if self._recorder is not None:
            self._recorder.finish()
        if close:
            self._boundary.errors["record"] += self._recording_failures()
            self._recorder = None

    def _poll(self) -> None:
        """Collect, before the stages run, the results of subprocesses and of calls in the background."""
        self._boundary.run("snapshot", self.snapshots.poll)
        if self._uploads is not None:
            self._boundary.run("snapshot", self._uploads.poll)
        self._boundary.run("notify", self.notifier.poll)
        self._boundary.run("investigate", self.allocations.poll)

    def _read(self, before: Reading) -> Taken:
        """Run the read stage: read the cheap sources, the slow ones when due, and a finding of an investigation."""
        sample = self._sampler.sample(before.process_started_at)
        reading = dataclasses.replace(before, sample=sample, detail=self._sampler.refresh_limits(before.detail))
        is_limit_near = self._boundary.run(
            "investigate", lambda: self._investigator.is_limit_near(reading, self._points_to(reading, before))
        )
        if is_limit_near or time.monotonic() >= self._next_slow_at:
            reading = self._read_slow(reading)
        self._finding = self._finding or self._boundary.run("investigate", lambda: self._investigator.finding(reading))
        point = point_of(reading, before, restart=not self.history, finding=self._finding)
        return Taken(reading, point, reading.census if reading.census is not before.census else None)

    def _points_to(self, reading: Reading, before: Reading) -> Sequence[Point]:
        """Return the points in memory and that of the reading, which the record stage adds only later."""
        newest = point_of(reading, before, restart=not self.history, finding=None)
        return self.history.points() if newest is None else (*self.history.points(), newest)

    def _read_slow(self, reading: Reading) -> Reading:
        """Read the slow sources in the read stage, and schedule the next time by their cost."""
        began, clones_began = time.thread_time(), self.walker.clone_cpu_seconds
        detail = self._sampler.detail()
        census = self._boundary.run("census", self.walker.census)
        cost = time.thread_time() - began + self.walker.clone_cpu_seconds - clones_began
        interval = max(self._settings.census_interval_seconds, cost * 100 / self._settings.census_cpu_percent)
        self._next_slow_at = time.monotonic() + interval
        return dataclasses.replace(
            reading, detail=detail, census=census, census_interval_seconds=interval, role=self._role()
        )

    def _role(self) -> Role:
        """Return the role of this process in the fleet."""
        slot = self._slot
        return (slot and self._boundary.run("read", slot.role)) or Role.SINGLE

    def _open_recorder(self) -> None:
        """Prepare the record stage, and publish the last exit if an earlier process left a crash record."""
        if not self._settings.record:
            return
        self._recorder = Recorder(
            self._settings.snapshot_dir,
            self.reading.process_started_at,
            watch_exit=self._settings.watch_exit,
            thresholds=self._thresholds,
        )
        self._judge.add_earlier_runs(read_earlier_runs(self._settings.snapshot_dir))
        last_exit = claim_last_exit(self._settings.snapshot_dir, self._sampler.limits())
        for snapshot_id in last_exit.snapshots if last_exit else ():
            self.snapshots.store.pins.pin(snapshot_id, "crash", ALERT_PIN_SECONDS)
        self._publish(dataclasses.replace(self.reading, last_exit=last_exit))

    def _start_allocations(self) -> None:
        """Sample allocations from now on, but not those of the sampling thread."""
        try:
            self.allocations.start()
        except AllocationsUnavailable as error:
            log.warning("heap-exporter samples no allocations: %s", error)
            return
        self.allocations.ignore_this_thread()

    def _record(self, taken: Taken) -> None:
        """Run the record stage: keep the point in memory and on disk, before a later stage can fail on it."""
        if taken.point is None:
            return
        self.history.add(taken.point)
        if self._recorder is not None:
            self._recorder.record(taken.point, taken.reading.detail.limits, taken.census)

    def _record_verdict(self, verdict: Verdict | None) -> None:
        """Record the verdict of the judge stage on the point that is recorded already."""
        if self._recorder is not None and verdict is not None:
            self._recorder.record_verdict(verdict)

    def _record_snapshots(self, of_investigation: Sequence[SnapshotInfo]) -> None:
        """Record which snapshots show the growth: of the last alert, the investigation since, and the last of all."""
        if self._recorder is not None:
            alert, last = self.reading.alert, self.snapshots.last
            shown = (*(alert.snapshots if alert else ()), *of_investigation, *((last,) if last else ()))
            self._recorder.record_snapshots(list(dict.fromkeys(info.id for info in shown)))

    def _judge_point(self, taken: Taken) -> Verdict | None:
        """Run the judge stage: return the verdict on a point, ``None`` without a point."""
        if taken.point is None:
            return None
        verdict = self._judge.judge(taken.point, taken.census)
        self._finding = None
        return verdict

    def _types(self, taken: Taken) -> tuple[TypeCount, ...]:
        """Return the types that the published reading lists, by the last census."""
        if taken.census is None:
            return taken.reading.types if taken.reading.census else ()
        return self._type_series.choose(taken.census, self._judge.growing_types)

    def _notify(self, alert: LeakAlert) -> None:
        """Run the notify stage: publish an alert, and send it."""
        self._alerts += 1
        self._publish(dataclasses.replace(self.reading, alert=alert))
        self._boundary.run("notify", lambda: self._send(alert))

    def _send(self, alert: LeakAlert) -> None:
        """Send an alert in the notify stage; the processes of the fleet know it until its leak has ended."""
        document, member = self.notifier.send(alert, self.reading.member), self.reading.member
        if member is not None and member.has_slot:
            self._open_alerts.put(member, document)

    def _resolve_alert(self) -> None:
        """Report in the notify stage that the leak of the last alert has ended."""
        member = self.reading.member
        document = self._open_alerts.take(member) if member else None
        if document is not None:
            self.notifier.resolve(document, has_process_ended=False)

    def _resolve_alerts_of_ended(self) -> None:
        """Report in the notify stage that the leaks of processes of this service have ended with these."""
        for document in self._open_alerts.take_of_ended(self._settings.service):
            self.notifier.resolve(document, has_process_ended=True)

    def _publish(self, reading: Reading) -> None:
        """Publish a reading after a stage, with new counters. A listener that raises does not stop the others."""
        self.reading = self._boundary.run("publish", lambda: self._with_counters(reading)) or reading
        for listener in self._listeners:
            self._boundary.run("publish", functools.partial(listener, self.reading))

    def _recording_failures(self) -> int:
        """Return the failed writes of the record stage: the recorder only counts them."""
        return self._recorder.failures if self._recorder else 0

    def _with_counters(self, reading: Reading) -> Reading:
        """Return a reading to publish: with the counters of all stages and what they took last."""
        self._cpu_seconds = self._earlier_cpu_seconds + time.thread_time()
        errors = dict(self._boundary.errors)
        errors["record"] += self._recording_failures()
        counters = Counters(
            sample_errors=errors,
            snapshots=dict(self.snapshots.outcomes),
            detections=self._judge.detections,
            alerts=self._alerts,
            webhooks=dict(self.notifier.webhooks),
            listeners=dict(self.notifier.listeners),
            pushes=dict(self._pushes),
            walk_failures=self.walker.failures,
            gc_pause_seconds=tuple(self._pauses.seconds),
            uploads=dict(self._uploads.outcomes) if self._uploads else dict.fromkeys(UPLOAD_OUTCOMES, 0),
            cpu_seconds=self._cpu_seconds + self.walker.clone_cpu_seconds,
        )
        return dataclasses.replace(
            reading,
            counters=counters,
            snapshot=self.snapshots.last,
            lost=self.lost.growth(),
            walker=self.walker.chosen,
        )
