"""Takes the two snapshots of a suspicion, within the budget that all processes of the folder share."""

from __future__ import annotations

import logging
from collections.abc import Callable

from heap_exporter.errors import SnapshotBusy, SnapshotError
from heap_exporter.investigation.investigation import HEAP_CAUSES, SNAPSHOTS_A_SUSPICION, Investigation, growing_bytes
from heap_exporter.model import MemoryKind, Reading, Verdict
from heap_exporter.report import snapshot_reason_text
from heap_exporter.runtime.logs import log
from heap_exporter.snapshot.budget import Budget
from heap_exporter.snapshot.service import Snapshots

SECOND_AFTER_WINDOWS = 1 / 3
SECOND_AFTER_BYTES = 1024 * 1024
"""Time and growth from the first snapshot to the second: so much growth stands out in the comparison."""

PIN_WINDOWS = 4.0
"""How long a snapshot of a suspicion is pinned, however many others are taken meanwhile."""


class SuspicionSnapshots:
    """Takes the snapshots of an investigation when they are due."""

    def __init__(self, snapshots: Snapshots, budget: Budget, window_seconds: float, clock: Callable[[], float]) -> None:
        self._snapshots = snapshots
        self._budget = budget
        self._window_seconds = window_seconds
        self._clock = clock

    def take_due(self, investigation: Investigation, verdict: Verdict, reading: Reading) -> None:
        """Take each snapshot that is due on this verdict. Raises nothing: a snapshot that fails is logged."""
        while self._is_due(investigation, verdict):
            if not self._take(investigation, verdict, reading):
                return

    def _is_due(self, investigation: Investigation, verdict: Verdict) -> bool:
        if not verdict.is_suspicion or not investigation.wants_snapshots or investigation.is_closed:
            return False
        if investigation.has_all_snapshots or verdict.cause not in HEAP_CAUSES:  # later censuses may change the cause
            return False
        if not investigation.snapshots:
            return self._is_granted(investigation)
        elapsed = self._clock() - investigation.snapshot_at
        grown = elapsed * next((t.slope_bytes_per_second for t in verdict.trends if t.kind is MemoryKind.TOTAL), 0.0)
        has_grown = elapsed >= SECOND_AFTER_WINDOWS * self._window_seconds and grown >= SECOND_AFTER_BYTES
        return has_grown or verdict.is_confirmed

    def _is_granted(self, investigation: Investigation) -> bool:
        """Return whether the budget grants two snapshots of the suspicion; a refusal holds for one window."""
        if investigation.is_granted or self._clock() < investigation.next_request_at:
            return investigation.is_granted
        refusal = self._budget.request(investigation.fingerprint, snapshots=SNAPSHOTS_A_SUSPICION)
        investigation.is_granted = refusal is None
        investigation.next_request_at = self._clock() + self._window_seconds
        if refusal:
            level = logging.INFO if refusal.outcome == "cooldown" else logging.WARNING
            log.log(level, "no snapshots of the suspected leak are taken for now: %s", refusal.reason)
            self._snapshots.count(refusal.outcome)
        return investigation.is_granted

    def _take(self, investigation: Investigation, verdict: Verdict, reading: Reading) -> bool:
        """Take a snapshot of the suspicion, and return whether there is one. A busy turn is tried again later."""
        try:
            if investigation.snapshots:
                taken = self._snapshots.take(snapshot_reason_text.continued_growth(), since=investigation.snapshots[0])
            else:
                taken = self._snapshots.take(snapshot_reason_text.suspected_leak(verdict))
        except SnapshotError as error:
            investigation.wants_snapshots = isinstance(error, SnapshotBusy)
            log.warning("no snapshot of the suspected leak could be taken: %s", error)
            return False
        self._snapshots.store.pins.pin(taken.id, "suspicion", PIN_WINDOWS * self._window_seconds)
        investigation.add_snapshot(taken, growing_bytes(reading), self._clock())
        return True
