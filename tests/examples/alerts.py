"""Leak alerts with every optional part, and with none."""

from __future__ import annotations

from pathlib import Path

from heap_exporter.model import (
    Accumulation,
    Cause,
    ComparisonProblem,
    ComparisonProblemKind,
    GrowingType,
    LeakAlert,
    LeakPattern,
    MappingGrowth,
    MemoryKind,
    MemoryTrend,
    Reason,
    ReasonKind,
    SnapshotInfo,
    State,
    Verdict,
)
from tests.examples.readings import GREW
from tests.heaps.steps import path

JUDGED_AT = 1_795_366_247.5
SNAPSHOT_ID = "20261122T150000Z-4711-abcd"

PROBLEM = ComparisonProblem(
    ComparisonProblemKind.TOO_LITTLE_MEMORY,
    Path("a.heap"),
    Path("b.heap"),
    needed_bytes=64 << 20,
    available_bytes=100 << 20,
)
PROBLEM_TEXT = (
    "the comparison may need 64.0 MiB of memory, more than half of the 100 MiB that is available; to compare the "
    "snapshots on another machine, copy them and run `heap-exporter report a.heap b.heap`"
)


def full_alert(type_name: str = "shop.models.Session") -> LeakAlert:
    """Return an alert of a leak of Python objects."""
    return LeakAlert(
        verdict=Verdict(
            judged_at=JUDGED_AT,
            state=State.CONFIRMED,
            reasons=(GREW, Reason(ReasonKind.LOWS_RISE, {"share": 1.0, "noise_ratio": 88.0})),
            window_seconds=900.0,
            cause=Cause.PYTHON_OBJECTS,
            trends=(MemoryTrend(MemoryKind.TOTAL, 69905.0), MemoryTrend(MemoryKind.PYTHON, 60000.0)),
            evidence_seconds=1800.0,
            tail_ratio=0.98,
            confidence=0.97,
            seconds_to_limit=5400.0,
            growing_types=(GrowingType(type_name, 48_210, 61_000_000),),
        ),
        fingerprint="5f1e2d3c4b5a6978",
        snapshots=(
            SnapshotInfo(
                id=SNAPSHOT_ID,
                path=Path(f"/var/heap/{SNAPSHOT_ID}.heap"),
                bytes=1_000_000,
                taken_at=JUDGED_AT - 60,
                duration_seconds=1.0,
                pause_seconds=0.1,
                reason="leak suspected",
                walker="native",
                content="graph",
                objects=100_000,
            ),
        ),
        accumulation=Accumulation(
            type_name=type_name,
            holder=path("shop.sessions.SESSIONS"),
            path=path("shop.sessions.SESSIONS", "dict value"),
            fingerprint="5f1e2d3c4b5a6978",
            objects=48_210,
            bytes=61_000_000,
            bytes_per_minute=4_066_666.0,
            share=0.93,
            pattern=LeakPattern.UNBOUNDED_MAPPING,
        ),
        mappings=(MappingGrowth("heap", 1, 2),),
    )


def bare_alert() -> LeakAlert:
    """Return an alert that only reports that memory grows."""
    return LeakAlert(Verdict(JUDGED_AT, State.CONFIRMED, (GREW,), 900.0), fingerprint="00")
