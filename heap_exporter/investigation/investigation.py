"""The state of one investigation: a suspicion, its two snapshots, and what their comparison has found."""

from __future__ import annotations

import hashlib
import math
import sys
from dataclasses import dataclass, field

from heap_exporter.investigation.holder_watch import HolderWatch
from heap_exporter.model import (
    Accumulation,
    AllocationProfile,
    Cause,
    ComparisonProblem,
    Finding,
    Reading,
    SnapshotInfo,
    Verdict,
    top_growing_type,
)
from heap_exporter.probes.mappings import Mappings

SNAPSHOTS_A_SUSPICION = 2

HEAP_CAUSES = (*(cause for cause in Cause if cause is not Cause.FRAGMENTATION), None)
"""Causes that a snapshot of the heap can explain: native memory often belongs to small objects, its handles."""

PYTHON_CAUSES = (Cause.PYTHON_OBJECTS, Cause.UNCOLLECTED_CYCLES)
"""Causes that the mappings of the process cannot explain."""

FINGERPRINT_LENGTH = 12


@dataclass(slots=True)
class Investigation:
    """All that is known of one suspicion; times are monotonic seconds.

    ``growing_bytes`` is the memory of the process at the last snapshot, taken at ``snapshot_at``; ``grown_bytes`` is
    what it gained since the snapshot before. ``finding`` is not judged yet; if
    it confirms the leak, ``watch`` decides when it is judged. ``allocations_before`` is the profile of allocations at
    the start, ``None`` if there were no samples yet.
    """

    fingerprint: str
    suspected_at: float
    wants_snapshots: bool
    mappings: Mappings | None = None
    is_granted: bool = False
    next_request_at: float = -math.inf
    snapshots: list[SnapshotInfo] = field(default_factory=list)
    snapshot_at: float = 0.0
    growing_bytes: int = 0
    grown_bytes: int = 0
    is_compared: bool = False
    comparison_problem: ComparisonProblem | None = None
    is_closed: bool = False
    is_alerted: bool = False
    allocations_before: AllocationProfile | None = None
    accumulation: Accumulation | None = None
    finding: Finding | None = None
    watch: HolderWatch | None = None

    @property
    def has_all_snapshots(self) -> bool:
        """Return whether both snapshots are taken."""
        return len(self.snapshots) == SNAPSHOTS_A_SUSPICION

    def add_snapshot(self, taken: SnapshotInfo, growing_bytes: int, now: float) -> None:
        """Add a snapshot of the suspicion, taken now, when the process had ``growing_bytes``."""
        self.snapshots.append(taken)
        self.grown_bytes, self.growing_bytes = growing_bytes - self.growing_bytes, growing_bytes
        self.snapshot_at = now


def provisional_fingerprint(verdict: Verdict) -> str:
    """Return the name of a suspicion until its snapshots are compared: made of program, cause and the growing type."""
    grower = top_growing_type(verdict.growing_types)
    parts = (sys.argv[0] if sys.argv else "", verdict.cause or "", grower.type_name if grower else "")
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:FINGERPRINT_LENGTH]


def growing_bytes(reading: Reading) -> int:
    """Return the memory in which the suspected leak shows, 0 where it is unknown."""
    process = reading.sample.process if reading.sample else None
    return process.growing_bytes if process else 0
