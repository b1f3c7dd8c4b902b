"""What the pages answer as JSON: names as in :mod:`heap_exporter.model`, times in Unix seconds, sizes in bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from heap_exporter._version import VERSION
from heap_exporter.model import Census, LeakAlert, Reading, SnapshotInfo, Verdict
from heap_exporter.report import reason_text
from heap_exporter.report.advice_text import alert_advice
from heap_exporter.report.finding_text import accumulation_document
from heap_exporter.snapshot.comparison import Comparison
from heap_exporter.snapshot.service import SnapshotProgress

Document = dict[str, Any]

TYPES_IN_STATUS = 20


def health(pid: int) -> Document:
    """Return who answers here."""
    return {"name": "heap-exporter", "version": VERSION, "pid": pid, "status": "ok"}


def snapshot(info: SnapshotInfo, root: str) -> Document:
    """Return a finished snapshot; ``root`` is the path that the pages are mounted under."""
    url = f"{root}/snapshots/{info.id}"
    return {**asdict(info), "path": str(info.path), "state": "written", "url": url, "file_url": f"{url}/file"}


def progress(found: SnapshotProgress, comparison_found: Comparison | None, root: str) -> Document:
    """Return how far a snapshot has come, and its comparison with the one before."""
    if found.info is not None:
        return {**snapshot(found.info, root), "comparison": comparison_found and comparison(comparison_found)}
    document = {"id": found.id, "state": found.state, "url": f"{root}/snapshots/{found.id}"}
    return {**document, "problem": found.problem} if found.problem else document


def comparison(found: Comparison) -> Document:
    """Return how far a comparison has come and, once it is done, what grew and who holds it."""
    report = found.report or {}
    told: Document = {name: report[name] for name in ("minutes", "verdict", "suspects", "notes") if name in report}
    return {"state": found.state, "before_id": found.before_id, "problem": found.problem, **told}


def snapshots(infos: Sequence[SnapshotInfo], root: str) -> Document:
    """Return the list of snapshots, newest first."""
    return {"snapshots": [snapshot(info, root) for info in infos]}


def census(found: Census, reading: Reading) -> Document:
    """Return a census with its sums, which walker walks and why, and the time to the next."""
    return {**_walked(found, reading), "types": [asdict(count) for count in found.types]}


def verdict(found: Verdict, alerted: LeakAlert | None) -> Document:
    """Return a verdict, and the last leak that was told of, with its evidence."""
    trends = [
        {**asdict(trend), "slope_mb_per_hour": trend.slope_bytes_per_second * 3600 / 1e6} for trend in found.trends
    ]
    document = asdict(found)
    del document["finding"]
    growers = document.pop("growing_types")
    reasons = list(reason_text.sentences(found))
    return {**document, "reasons": reasons, "trends": trends, "growers": growers, "alert": alerted and alert(alerted)}


def alert(found: LeakAlert) -> Document:
    """Return what was told of a leak: when, what accumulates where, and the ids of the snapshots that show it."""
    return {
        "judged_at": found.verdict.judged_at,
        "cause": found.verdict.cause,
        "fingerprint": found.fingerprint,
        "snapshot_ids": [info.id for info in found.snapshots],
        "accumulation": found.accumulation and accumulation_document(found.accumulation),
        "mappings": [asdict(mapping) for mapping in found.mappings],
        "advice": alert_advice(found),
    }


def status(
    reading: Reading, infos: Sequence[SnapshotInfo], comparison_found: Comparison | None, root: str, pid: int
) -> Document:
    """Return what the status page shows, for programs; ``comparison_found`` is that of the newest pair."""
    return {
        **health(pid),
        "started_at": reading.started_at,
        "process_started_at": reading.process_started_at,
        "verdict": reading.verdict and verdict(reading.verdict, reading.alert),
        "sample": reading.sample and asdict(reading.sample),
        "heap_bytes": reading.census.bytes if reading.census else None,
        "census": reading.census and _walked(reading.census, reading),
        "limits": reading.detail.limits and asdict(reading.detail.limits),
        "types": [asdict(count) for count in reading.census.types[:TYPES_IN_STATUS]] if reading.census else None,
        **snapshots(infos, root),
        "comparison": comparison_found and comparison(comparison_found),
    }


def _walked(found: Census, reading: Reading) -> Document:
    """Return everything of a census but its types."""
    return {
        "objects": found.objects,
        "bytes": found.bytes,
        "references": found.references,
        "taken_at": found.taken_at,
        "duration_seconds": found.duration_seconds,
        "pause_seconds": found.pause_seconds,
        "cpu_seconds": found.cpu_seconds,
        "walker": found.walker,
        "in_process": found.in_process,
        "generation_objects": found.generation_objects,
        "interval_seconds": reading.census_interval_seconds,
        "chosen_walker": reading.walker and asdict(reading.walker),
    }
