"""Follows a suspicion from its first snapshot to an alert, or to its end: at most two snapshots and one alert."""

from __future__ import annotations

import time
from collections.abc import Callable

from heap_exporter.investigation import findings
from heap_exporter.investigation.cache_limits import cache_limit
from heap_exporter.investigation.holder_watch import HolderState, HolderWatch
from heap_exporter.investigation.investigation import (
    PYTHON_CAUSES,
    Investigation,
    growing_bytes,
    provisional_fingerprint,
)
from heap_exporter.investigation.suspicion_allocations import SuspicionAllocations
from heap_exporter.investigation.suspicion_snapshots import SuspicionSnapshots
from heap_exporter.model import Finding, FindingKind, LeakAlert, Reading, SnapshotInfo, Verdict
from heap_exporter.probes import mappings
from heap_exporter.probes.mappings import Mappings
from heap_exporter.report.finding_text import finding_text
from heap_exporter.report.verdict_text import verdict_summary
from heap_exporter.runtime.logs import log
from heap_exporter.snapshot.budget import Budget
from heap_exporter.snapshot.retention import ALERT_PIN_SECONDS
from heap_exporter.snapshot.service import Snapshots

FORGOTTEN_AFTER_WINDOWS = 1.0
"""Time without a suspicion after which the next one is another."""

ALERT_PREFIX = "alert "
"""Put before the fingerprint of an alert: snapshots and alerts have separate cooldowns."""


class LeakInvestigator:
    """Investigates one suspicion at a time: takes its snapshots, reads their comparison, and makes the alert.

    ``read_mappings()`` returns the mappings of the process, ``None`` where they cannot be read. ``max_bytes(reading)``
    returns all the memory that the process may ever have, ``None`` if that is unknown.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        budget: Budget,
        *,
        window_seconds: float,
        wants_snapshots: bool,
        read_mappings: Callable[[], Mappings | None],
        max_bytes: Callable[[Reading], int | None],
        allocations: SuspicionAllocations,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._snapshots = snapshots
        self._budget = budget
        self._window_seconds = window_seconds
        self._wants_snapshots = wants_snapshots
        self._read_mappings = read_mappings
        self._max_bytes = max_bytes
        self._allocations = allocations
        self._clock = clock
        self._taker = SuspicionSnapshots(snapshots, budget, window_seconds, clock)
        self._current: Investigation | None = None
        self._has_ended = False
        self._cleared_once: set[FindingKind] = set()

    @property
    def snapshots(self) -> tuple[SnapshotInfo, ...]:
        """Return the snapshots of the current investigation, oldest first."""
        return tuple(self._current.snapshots) if self._current else ()

    def take_end(self) -> bool:
        """Return whether the leak of the last alert has ended, once: there was no suspicion for one window."""
        has_ended, self._has_ended = self._has_ended, False
        return has_ended

    def finding(self, reading: Reading) -> Finding | None:
        """Return what the comparison of the two snapshots shows, once: as soon as it can be judged."""
        current = self._current
        if current is None or self._is_being_compared(current):
            return None
        self._read_comparison(current, reading)
        finding = current.finding
        if finding is None:
            return None
        if finding.confirms and current.watch:
            state = current.watch.observe(growing_bytes(reading))
            if state is HolderState.UNDECIDED:
                return None
            if state is HolderState.SETTLED:
                return self._settle(current)
        current.finding = None
        return self._logged(finding)

    def investigate(self, verdict: Verdict, reading: Reading) -> LeakAlert | None:
        """Take the snapshots that are due on a verdict, and return the alert of a leak that it confirms."""
        current = self._investigation_of(verdict)
        if current is None:
            return None
        self._taker.take_due(current, verdict, reading)
        if not verdict.is_confirmed or current.is_closed or self._awaits_comparison(current):
            return None
        return self._alert(current, verdict)

    def _investigation_of(self, verdict: Verdict) -> Investigation | None:
        """Return the current investigation, or a new one if this verdict suspects a leak."""
        now, current = self._clock(), self._current
        if verdict.is_suspicion:
            if current is None:
                current = self._current = self._open(verdict, now)
            current.suspected_at = now
            if current.mappings is None and verdict.cause not in PYTHON_CAUSES:
                current.mappings = self._read_mappings()
        elif current and now - current.suspected_at > FORGOTTEN_AFTER_WINDOWS * self._window_seconds:
            self._has_ended = current.is_alerted
            self._current = current = None
            self._allocations.end()
        return current

    def _open(self, verdict: Verdict, now: float) -> Investigation:
        log.info("a leak is suspected: %s", verdict_summary(verdict).growth)
        investigation = Investigation(provisional_fingerprint(verdict), now, self._wants_snapshots)
        investigation.allocations_before = self._allocations.begin()
        return investigation

    def _is_being_compared(self, current: Investigation) -> bool:
        if current.is_compared or not current.has_all_snapshots:
            return False
        comparison = self._snapshots.comparisons.state(current.snapshots[-1].id)
        return comparison is not None and comparison.state == "running"

    def _awaits_comparison(self, current: Investigation) -> bool:
        """Return whether :meth:`finding` has not yet read the comparison of the two snapshots, if there is one."""
        if current.is_compared or not current.has_all_snapshots:
            return False
        return self._snapshots.comparisons.state(current.snapshots[-1].id) is not None

    def _read_comparison(self, current: Investigation, reading: Reading) -> None:
        if current.is_compared or not current.has_all_snapshots:
            return
        current.is_compared = True
        comparison = self._snapshots.comparisons.state(current.snapshots[-1].id)
        if comparison is None:
            return
        current.comparison_problem = comparison.problem
        if comparison.report is None:
            return
        finding, current.accumulation = findings.interpret_report(
            comparison.report, current.grown_bytes, cache_limit, self._max_bytes(reading)
        )
        if finding and finding.kind is FindingKind.CLEARS_IN_FLIGHT:
            finding = finding if self._clears_first(finding.kind) else None
        if finding and finding.accumulation:
            current.watch = HolderWatch(
                finding.accumulation, current.growing_bytes, current.grown_bytes, growing_bytes(reading)
            )
        current.finding = finding

    def _clears_first(self, kind: FindingKind) -> bool:
        """Return whether no suspicion has been cleared by this kind of finding before."""
        is_first = kind not in self._cleared_once
        self._cleared_once.add(kind)
        return is_first

    def _logged(self, finding: Finding) -> Finding:
        log.info("the two snapshots of the suspected leak were compared: %s", finding_text(finding))
        return finding

    def _settle(self, current: Investigation) -> Finding | None:
        """Return the finding about a holder that does not grow with the memory; only one suspicion is cleared by it."""
        settled = current.watch.settled() if current.watch else None
        current.finding = current.accumulation = current.watch = None
        if not self._clears_first(FindingKind.CLEARS_SETTLED_HOLDER):
            return None
        finding = Finding(FindingKind.CLEARS_SETTLED_HOLDER, settled_holder=settled)
        return self._logged(finding)

    def _alert(self, current: Investigation, verdict: Verdict) -> LeakAlert | None:
        """Return the alert of a confirmed leak, ``None`` within the cooldown of an earlier alert of the same leak."""
        current.is_closed = True
        allocated_at = self._allocations.growth(current.allocations_before)
        self._allocations.end()
        accumulation = current.accumulation
        fingerprint = accumulation.fingerprint if accumulation else current.fingerprint
        if refusal := self._budget.request(f"{ALERT_PREFIX}{fingerprint}", snapshots=0):
            log.info("no alert is sent for the leak %s: %s", fingerprint, refusal.reason)
            return None
        self._budget.start_cooldown(f"{ALERT_PREFIX}{current.fingerprint}")
        for snapshot in current.snapshots:
            self._snapshots.store.pins.pin(snapshot.id, "alert", ALERT_PIN_SECONDS)
        current.is_alerted = True
        after = self._read_mappings() if current.mappings else None
        return LeakAlert(
            verdict=verdict,
            fingerprint=fingerprint,
            snapshots=tuple(current.snapshots),
            accumulation=accumulation,
            mappings=mappings.growth(current.mappings, after) if current.mappings and after else (),
            comparison_problem=current.comparison_problem,
            allocated_at=allocated_at,
        )
