"""Follows a suspicion from its first snapshot to an alert, or to its end: at most two snapshots, told once."""

from __future__ import annotations

import hashlib
import logging
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from heap_exporter.detection.growing_types import top_growing_type
from heap_exporter.errors import SnapshotBusy, SnapshotError
from heap_exporter.investigation import findings
from heap_exporter.investigation.cache_limits import bound
from heap_exporter.model import Accumulation, Cause, Finding, LeakAlert, MemoryKind, Reading, SnapshotInfo, Verdict
from heap_exporter.probes import mappings
from heap_exporter.probes.mappings import Mappings
from heap_exporter.runtime.logs import log
from heap_exporter.snapshot.budget import Budget
from heap_exporter.snapshot.service import Snapshots

SECOND_AFTER_WINDOWS = 1 / 3
SECOND_AFTER_BYTES = 1024 * 1024
"""When the second snapshot follows the first: after a third of a window, and so much growth that it stands out."""

GOES_ON_SHARE = 0.25
"""Part of what was gained between the snapshots that must be gained again until they confirm: a queue that drains, or a
cache that is full by now, was caught on its way up.
"""

FORGOTTEN_AFTER_WINDOWS = 1.0
"""How long there must be no suspicion until the next one is another."""

FINGERPRINT_LENGTH = 12

ALERT = "alert "
"""Put before the fingerprint of a leak that was told of: snapshots and alerts have cooldowns of their own."""

WANTED_WINDOWS = 4.0
"""How long a snapshot is kept for what follows it, however many others are asked for."""

PIN_SECONDS = 7 * 86_400.0
"""How long the snapshots of an alert are kept before others."""

_IN_THE_HEAP = (Cause.PYTHON_OBJECTS, Cause.UNCOLLECTED_CYCLES, Cause.UNATTRIBUTED, None)
"""Causes of which snapshots of the heap can tell something."""


@dataclass(slots=True)
class _Case:
    """What there is of one suspicion; times are monotonic seconds.

    At the last snapshot, taken at ``snapshot_at``, the process had ``growing_bytes``: ``grown_bytes`` more than before.
    """

    fingerprint: str
    suspected_at: float
    wants_snapshots: bool
    mappings: Mappings | None = None
    is_granted: bool = False
    ask_again_at: float = -math.inf
    snapshots: list[SnapshotInfo] = field(default_factory=list)
    snapshot_at: float = 0.0
    growing_bytes: int = 0
    grown_bytes: int = 0
    is_compared: bool = False
    is_told: bool = False
    accumulation: Accumulation | None = None
    finding: Finding | None = None


class CaseFile:
    """Takes the snapshots of a suspicion, has them compared, and tells of a leak that is confirmed.

    ``tell`` is called with each alert. ``read_mappings`` returns the process's mappings, None where they can't be read.
    ``max_bytes`` is all the memory that the process may ever have, None if that is unknown.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        budget: Budget,
        tell: Callable[[LeakAlert], None],
        *,
        window_seconds: float,
        wants_snapshots: bool,
        read_mappings: Callable[[], Mappings | None],
        max_bytes: Callable[[], int | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._snapshots = snapshots
        self._budget = budget
        self._tell = tell
        self._window_seconds = window_seconds
        self._wants_snapshots = wants_snapshots
        self._read_mappings = read_mappings
        self._max_bytes = max_bytes
        self._clock = clock
        self._case: _Case | None = None
        self._was_in_flight = False

    @property
    def snapshots(self) -> tuple[SnapshotInfo, ...]:
        """Return the snapshots of the suspicion that is open, oldest first."""
        return tuple(self._case.snapshots) if self._case else ()

    def attend(self, verdict: Verdict, reading: Reading) -> Finding | None:
        """Do what the verdict on a reading asks for now, and return what the evidence newly says."""
        case = self._case_of(verdict)
        if case is None:
            return None
        while self._is_snapshot_due(case, verdict):
            if not self._take(case, verdict, reading):
                break
        if self._is_being_compared(case):
            return None
        self._compare(case)
        finding = self._due_finding(case, reading)
        if finding is None and verdict.is_confirmed and not case.is_told:
            self._tell_of(case, verdict)
        return finding

    def _case_of(self, verdict: Verdict) -> _Case | None:
        """Return the case that is open, or opened by this verdict."""
        now, case = self._clock(), self._case
        if verdict.is_suspicion:
            if case is None:
                case = self._case = self._open(verdict, now)
            case.suspected_at = now
            if case.mappings is None and verdict.cause not in _IN_THE_HEAP[:2]:
                case.mappings = self._read_mappings()
        elif case and now - case.suspected_at > FORGOTTEN_AFTER_WINDOWS * self._window_seconds:
            self._case = case = None
        return case

    def _open(self, verdict: Verdict, now: float) -> _Case:
        case = _Case(
            fingerprint=_provisional_fingerprint(verdict),
            suspected_at=now,
            wants_snapshots=self._wants_snapshots,
        )
        log.info("a leak is suspected: %s", "; ".join(verdict.reasons))
        return case

    def _is_granted(self, case: _Case) -> bool:
        """Return whether the budget grants a pair of snapshots; where it does not, it is asked again in a window."""
        if case.is_granted or self._clock() < case.ask_again_at:
            return case.is_granted
        refusal = self._budget.request(case.fingerprint, snapshots=2)
        case.is_granted = refusal is None
        case.ask_again_at = self._clock() + self._window_seconds
        if refusal:
            level = logging.INFO if refusal.outcome == "cooldown" else logging.WARNING
            log.log(level, "no snapshots of the suspicion for now: %s", refusal.reason)
            self._snapshots.count(refusal.outcome)
        return case.is_granted

    def _is_snapshot_due(self, case: _Case, verdict: Verdict) -> bool:
        if not verdict.is_suspicion or not case.wants_snapshots or case.is_told or len(case.snapshots) == 2:
            return False
        if verdict.cause not in _IN_THE_HEAP:  # it may become known, with the next censuses, that it is one of these
            return False
        if not case.snapshots:
            return self._is_granted(case)
        elapsed = self._clock() - case.snapshot_at
        grown = elapsed * next((t.slope_bytes_per_second for t in verdict.trends if t.kind is MemoryKind.TOTAL), 0.0)
        is_time = elapsed >= SECOND_AFTER_WINDOWS * self._window_seconds and grown >= SECOND_AFTER_BYTES
        return is_time or verdict.is_confirmed

    def _take(self, case: _Case, verdict: Verdict, reading: Reading) -> bool:
        """Take a snapshot, and return whether there is one; who is refused because of another's asks again."""
        try:
            if case.snapshots:
                taken = self._snapshots.take("growth goes on", since=case.snapshots[0])
            else:
                taken = self._snapshots.take(f"leak suspected: {verdict.reasons[0]}")
        except SnapshotError as error:
            case.wants_snapshots = isinstance(error, SnapshotBusy)
            log.warning("no snapshot of the suspected leak: %s", error)
            return False
        case.snapshots.append(taken)
        self._snapshots.store.pins.pin(taken.id, "suspicion", WANTED_WINDOWS * self._window_seconds)
        size = _growing_bytes(reading)
        case.grown_bytes, case.growing_bytes, case.snapshot_at = size - case.growing_bytes, size, self._clock()
        return True

    def _is_being_compared(self, case: _Case) -> bool:
        if case.is_compared or len(case.snapshots) < 2:
            return False
        found = self._snapshots.comparisons.state(case.snapshots[-1].id)
        return found is not None and found.state == "running"

    def _compare(self, case: _Case) -> None:
        """Take note of what the comparison of both snapshots says."""
        if case.is_compared or len(case.snapshots) < 2:
            return
        case.is_compared = True
        found = self._snapshots.comparisons.state(case.snapshots[-1].id)
        if found is None or found.report is None:
            return
        finding, case.accumulation = findings.find(found.report, case.grown_bytes, bound, self._max_bytes())
        if finding and finding.reason.endswith(findings.IN_FLIGHT):
            finding, self._was_in_flight = None if self._was_in_flight else finding, True
        case.finding = finding

    def _due_finding(self, case: _Case, reading: Reading) -> Finding | None:
        """Return the finding, once: one that confirms as soon as growth has gone on after the second snapshot."""
        finding = case.finding
        if finding is None:
            return None
        grown_since = _growing_bytes(reading) - case.growing_bytes
        if finding.outcome == "confirms" and grown_since < GOES_ON_SHARE * case.grown_bytes:
            return None
        case.finding = None
        log.info("the evidence %s the suspicion: %s", finding.outcome, finding.reason)
        return finding

    def _tell_of(self, case: _Case, verdict: Verdict) -> None:
        """Tell of a confirmed leak, unless the same one was told of within the cooldown."""
        case.is_told = True
        accumulation = case.accumulation
        fingerprint = accumulation.fingerprint if accumulation else case.fingerprint
        if refusal := self._budget.request(f"{ALERT}{fingerprint}", snapshots=0):
            log.info("no alert of the leak %s: %s", fingerprint, refusal.reason)
            return
        self._budget.start_cooldown(f"{ALERT}{case.fingerprint}")
        for snapshot in case.snapshots:
            self._snapshots.store.pins.pin(snapshot.id, "alert", PIN_SECONDS)
        after = self._read_mappings() if case.mappings else None
        cause_advice = mappings.advice(verdict.cause) if verdict.cause else ""
        self._tell(
            LeakAlert(
                verdict=verdict,
                fingerprint=fingerprint,
                snapshots=tuple(case.snapshots),
                accumulation=accumulation,
                mappings=mappings.growth(case.mappings, after) if case.mappings and after else (),
                advice=accumulation.advice if accumulation and accumulation.advice else cause_advice,
            )
        )


def _provisional_fingerprint(verdict: Verdict) -> str:
    """Return what a suspicion is known by until its snapshots are compared: program, cause and the type that grows."""
    grower = top_growing_type(verdict.growing_types)
    known = (sys.argv[0] if sys.argv else "", verdict.cause or "", grower.type_name if grower else "")
    return hashlib.sha256("\0".join(known).encode("utf-8", "surrogateescape")).hexdigest()[:FINGERPRINT_LENGTH]


def _growing_bytes(reading: Reading) -> int:
    process = reading.sample.process if reading.sample else None
    return process.growing_bytes if process else 0
