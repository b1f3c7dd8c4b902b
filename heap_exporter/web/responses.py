"""The JSON documents of the HTTP routes: names as in :mod:`heap_exporter.model`, Unix seconds, bytes.

The modules that make texts are imported where they are used: a service at rest needs none.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from heap_exporter._version import VERSION
from heap_exporter.model import Census, LeakAlert, Reading, SnapshotInfo, Verdict
from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.snapshot.comparison import Comparison
from heap_exporter.snapshot.snapshot_requests import SnapshotProgress
from heap_exporter.web.shown_snapshots import ShownSnapshots

Document = dict[str, Any]

TYPES_IN_STATUS = 20


def health(pid: int) -> Document:
    """Return the JSON of /-/healthy: the name, version and process of the exporter."""
    return {"name": "heap-exporter", "version": VERSION, "pid": pid, "status": "ok"}


def snapshot(info: SnapshotInfo, root: str) -> Document:
    """Return a finished snapshot as the JSON of /snapshots/ID; ``root`` is the path prefix of the HTTP routes."""
    url = f"{root}/snapshots/{info.id}"
    return {**asdict(info), "path": str(info.path), "state": "written", "url": url, "file_url": f"{url}/file"}


def progress(found: SnapshotProgress, comparison_found: Comparison | None, root: str) -> Document:
    """Return the JSON of /snapshots/ID: the state of a snapshot and of its comparison with the one before it."""
    if found.info is not None:
        return {**snapshot(found.info, root), "comparison": comparison_found and comparison(comparison_found, root)}
    document = {"id": found.id, "state": found.state, "url": f"{root}/snapshots/{found.id}"}
    return {**document, "problem": found.problem} if found.problem else document


def comparison(found: Comparison, root: str) -> Document:
    """Return a comparison as JSON for HTTP clients: its state and, once it is done, what grew and what holds it."""
    with late_imports():
        from heap_exporter.report.comparison_problem_text import comparison_problem_text

    report = found.report or {}
    result: Document = {name: report[name] for name in ("minutes", "verdict", "suspects", "notes") if name in report}
    problem = comparison_problem_text(found.problem)
    url = report_url(found.after_id, root) if found.has_page else None
    return {"state": found.state, "before_id": found.before_id, "problem": problem, "report_url": url, **result}


def report_url(after_id: str, root: str) -> str:
    """Return the URL of the HTML report of a snapshot and the one before it."""
    return f"{root}/snapshots/{after_id}/report"


def snapshots(shown: ShownSnapshots, root: str) -> Document:
    """Return the JSON of /snapshots: the list of snapshots, newest first, and how many are not in it."""
    return {
        "service": shown.service,
        "snapshots": [snapshot(info, root) for info in shown.infos],
        "snapshots_of_other_services": shown.others,
    }


def census(found: Census, reading: Reading) -> Document:
    """Return the JSON of /census: types, totals, the interval, the walker and why it was chosen."""
    return {**_walked(found, reading), "types": [asdict(count) for count in found.types]}


def verdict(found: Verdict, alerted: LeakAlert | None) -> Document:
    """Return the JSON of /verdict: the verdict in three lines and in numbers, and the last alert."""
    with late_imports():
        from heap_exporter.report import reason_text
        from heap_exporter.report.verdict_text import verdict_document

    trends = [
        {**asdict(trend), "slope_mb_per_hour": trend.slope_bytes_per_second * 3600 / 1e6} for trend in found.trends
    ]
    document = asdict(found)
    del document["finding"]
    growers = document.pop("growing_types")
    reasons = list(reason_text.sentences(found))
    return {
        **document,
        "summary": verdict_document(found, alerted),
        "reasons": reasons,
        "trends": trends,
        "growers": growers,
        "alert": alerted and alert(alerted),
    }


def alert(found: LeakAlert) -> Document:
    """Return the alert in the JSON of /verdict: when it was sent, what accumulates where, and its snapshot ids."""
    with late_imports():
        from heap_exporter.report.advice_text import alert_advice
        from heap_exporter.report.finding_text import accumulation_document
        from heap_exporter.report.verdict_text import verdict_document

    return {
        "judged_at": found.verdict.judged_at,
        "cause": found.verdict.cause,
        "fingerprint": found.fingerprint,
        "summary": verdict_document(found.verdict, found),
        "snapshot_ids": [info.id for info in found.snapshots],
        "accumulation": found.accumulation and accumulation_document(found.accumulation),
        "mappings": [asdict(mapping) for mapping in found.mappings],
        "advice": alert_advice(found),
    }


def status(
    reading: Reading, shown: ShownSnapshots, comparison_found: Comparison | None, root: str, pid: int
) -> Document:
    """Return the content of the status page as JSON; ``comparison_found`` is the newest comparison."""
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
        **snapshots(shown, root),
        "comparison": comparison_found and comparison(comparison_found, root),
    }


def _walked(found: Census, reading: Reading) -> Document:
    """Return a census without its types, as a part of the JSON of an HTTP route."""
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
