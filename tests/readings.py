"""A reading in which everything is known."""

from pathlib import Path

from heap_exporter.model import (
    Census, Collector, Detail, Grower, Kind, Limits, Malloc, ProcessMemory, Reading, Sample, Shares, SnapshotInfo, State,
    Tally, Trend, TypeCount, Verdict,
)  # fmt: skip  # one reading of names

MIB = 1 << 20


def full_reading(at: float = 1_700_000_000.0) -> Reading:
    """Return a reading with a figure for every metric of the catalogue."""
    types = (TypeCount("dict", 700, 900_000), TypeCount('we"ird\\type\n', 2, 64), TypeCount("other", 5, 500))
    trends = tuple(Trend(kind, 1024.5, 0.875, kind is Kind.TOTAL) for kind in Kind)
    return Reading(
        started_at=at - 100,
        process_started_at=at - 200.25,
        sample=Sample(
            taken_at=at,
            uptime_seconds=200.25,
            duration_seconds=0.00005,
            process=ProcessMemory(100 * MIB, 80 * MIB, 18 * MIB, 2 * MIB, 120 * MIB, 3 * MIB, 9),
            collector=Collector((100, 2, 1), (9, 5, 3), (0, 0, 1), 17),
            allocated_blocks=123_456,
        ),
        detail=Detail(Malloc(30 * MIB, 4 * MIB), Shares(70 * MIB, 60 * MIB), Limits(512 * MIB, {"oom_kill": 1, "max": 7})),
        census=Census(at - 1, 0.25, 0.004, 0.1, "portable", types, (10, 20, 30)),
        census_interval_seconds=60.0,
        types=types,
        verdict=Verdict(at, State.SUSPECTED, ("it grows",), 900.0, trends, (Grower("dict", 10, 1000),), 3600.0),
        snapshot=SnapshotInfo("20260101T000000Z-1-abcd", Path("/x"), 10, at, 0.5, 0.003, "because", "portable"),
        tally=Tally(
            {"limits": 1}, {"written": 2, "busy": 1}, {"total": 1}, {"success": 3, "failure": 1}, (0.1, 0.2, 0.3), 1.5
        ),
    )
