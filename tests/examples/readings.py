"""A reading in which every metric has a value, and no two values are alike."""

from __future__ import annotations

from pathlib import Path

from heap_exporter.model import (
    AllocatorMemory,
    Cause,
    Census,
    CollectorState,
    Counters,
    Ending,
    EndingReason,
    GrowingType,
    LastExit,
    LostGrowth,
    Member,
    MemoryKind,
    MemoryLimits,
    MemoryShares,
    MemoryTrend,
    Point,
    ProcessMemory,
    Reading,
    Reason,
    ReasonKind,
    Role,
    Sample,
    SlowReadings,
    SnapshotInfo,
    State,
    TypeCount,
    Verdict,
    WalkerChoice,
)
from tests.doubles.lost_memory import lost_chunks, lost_memory, lost_objects

MEMBER = Member(
    service="shop",
    worker="3",
    pid=4711,
    ancestors=(4700, 1),
    started_at=1_789_999_990.125,
    boot_id="4c1f4d7e-0000-4000-8000-000000000000",
    host="web-1",
    python="3.11.7",
    program="gunicorn",
    uid=1000,
)

TAKEN_AT = 1_790_000_015.25

GREW = Reason(
    ReasonKind.GREW, {"gained_bytes": 60.0 * 2**20, "seconds": 900.0, "slope_bytes_per_second": 240 * 2**20 / 3600}
)
GREW_TEXT = "+60.0 MiB in 15 min (+240 MiB/h)"


def full_reading() -> Reading:
    """Return the reading."""
    types = (
        TypeCount('we"ird\\type\n', 2, 64),
        *(TypeCount(f"shop.models.Type{i}", 1000 + i, 64_000 + 64 * i) for i in range(30)),
    )
    kinds = zip(MemoryKind, (1.5, 2.25, -3.0, 0.0), strict=True)
    return Reading(
        started_at=1_790_000_000.5,
        process_started_at=1_789_999_990.125,
        member=MEMBER,
        role=Role.CHILD,
        sample=Sample(
            taken_at=TAKEN_AT,
            uptime_seconds=25.0,
            duration_seconds=0.000083,
            process=ProcessMemory(
                resident_bytes=101_000_192,
                anonymous_bytes=80_000_000,
                file_bytes=20_000_768,
                shmem_bytes=4096,
                peak_bytes=120_000_512,
                swap_bytes=8192,
                threads=7,
            ),
            collector=CollectorState((612, 3, 2), (450, 40, 4), (1, 0, 5), 375),
            allocated_blocks=987_654,
        ),
        detail=SlowReadings(
            malloc=AllocatorMemory(used_bytes=33_000_000, retained_bytes=1_048_576),
            shares=MemoryShares(proportional_bytes=90_000_384, unique_bytes=85_000_192),
            limits=MemoryLimits(
                limit_bytes=536_870_912,
                headroom_bytes=400_000_000,
                events={"oom": 1, "oom_kill": 0, "high": 12, "max": 2},
            ),
        ),
        census=Census(
            taken_at=TAKEN_AT - 5,
            duration_seconds=0.25,
            pause_seconds=0.0045,
            cpu_seconds=0.125,
            walker="portable",
            types=types,
            generation_objects=(700, 7000, 70_000),
            references=90_000,
        ),
        census_interval_seconds=60.0,
        walker=WalkerChoice("portable", "no_extension", "the extension cannot be loaded"),
        types=(*types, TypeCount("other", 123_456, 7_890_123)),
        verdict=Verdict(
            judged_at=TAKEN_AT,
            state=State.SUSPECTED,
            reasons=(GREW,),
            window_seconds=900.0,
            cause=Cause.NATIVE,
            trends=tuple(MemoryTrend(kind, slope) for kind, slope in kinds),
            evidence_seconds=3600.0,
            tail_ratio=0.875,
            confidence=0.625,
            growing_types=(GrowingType("shop.models.Type3", 10, 1000),),
            seconds_to_limit=5400.0,
        ),
        last_exit=LastExit(
            pid=7,
            process_started_at=1_789_000_000.0,
            ended=Ending.OOM_KILL,
            reason=EndingReason.KILL_COUNTED,
            exit_code=-9,
            points=(Point(t_seconds=1_789_003_600.5, rss_bytes=530_000_000, limit_bytes=536_870_912),),
            slope_bytes_per_second=4096.5,
            verdict=None,
            types=(),
            snapshots=("s0",),
        ),
        snapshot=SnapshotInfo(
            id="s1",
            path=Path("s1.json"),
            bytes=2048,
            taken_at=TAKEN_AT - 1,
            duration_seconds=0.5,
            pause_seconds=0.0065,
            reason="a test",
            walker="portable",
            content="graph",
            objects=60,
            predicted_bytes=1800,
        ),
        lost=LostGrowth(
            TAKEN_AT - 60, (lost_objects("bytes", 27), lost_chunks(3001, 9)), lost_memory(taken_at=TAKEN_AT - 1)
        ),
        counters=Counters(
            sample_errors={"cgroup": 2, "smaps": 1},
            snapshots={"written": 3, "busy": 1},
            detections=3,
            alerts=13,
            webhooks={"sent": 8, "failed": 9},
            listeners={"returned": 8, "hung": 1},
            uploads={"uploaded": 10, "failed": 12},
            walk_failures={"crashed": 2, "hung": 1},
            pushes={"success": 11, "failure": 4},
            gc_pause_seconds=(0.5, 0.25, 1.75),
            cpu_seconds=0.375,
        ),
    )
