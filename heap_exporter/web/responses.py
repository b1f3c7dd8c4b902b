"""The JSON documents of the HTTP routes: names as in :mod:`heap_exporter.model`, Unix seconds, bytes.

The modules that make texts are imported where they are used: a service at rest needs none.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from heap_exporter._version import VERSION
from heap_exporter.heapfile.recorded_lost import group_member, lost_member
from heap_exporter.model import Census, Finding, LeakAlert, LostGrowth, Reading, SnapshotInfo, Verdict
from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.snapshot.comparison import Comparison
from heap_exporter.snapshot.snapshot_requests import SnapshotProgress
from heap_exporter.web.shown_snapshots import ShownSnapshots

Document = dict[str, Any]

TYPES_IN_STATUS = 20
LOST_GROUPS = 100


def health(pid: int) -> Document:
    """Return the JSON of /-/healthy: the name, version and process of the exporter."""
    return {"name": "heap-exporter", "version": VERSION, "pid": pid, "status": "ok"}


def snapshot(info: SnapshotInfo, root: str) -> Document:
    """Return a finished snapshot as the JSON of /snapshots/ID; ``root`` is the path prefix of the HTTP routes."""
    url = f"{root}/snapshots/{info.id}"
    return {**asdict(info), "path": str(info.path), "state": "written", "url": url, "file_url": f"{url}/file"}


def progress(requested: SnapshotProgress, compared: Comparison | None, root: str) -> Document:
    """Return the JSON of /snapshots/ID: the state of a snapshot and of its comparison with the one before it."""
    if requested.info is not None:
        return {**snapshot(requested.info, root), "comparison": compared and comparison(compared, root)}
    document = {"id": requested.id, "state": requested.state, "url": f"{root}/snapshots/{requested.id}"}
    return {**document, "problem": requested.problem} if requested.problem else document


def comparison(compared: Comparison, root: str) -> Document:
    """Return a comparison as JSON for HTTP clients: its state and, once it is done, what grew and what holds it."""
    with late_imports():
        from heap_exporter.report.comparison_problem_text import comparison_problem_text

    report = compared.report or {}
    result: Document = {name: report[name] for name in ("minutes", "verdict", "suspects", "notes") if name in report}
    problem = comparison_problem_text(compared.problem)
    url = report_url(compared.after_id, root) if compared.has_page else None
    return {"state": compared.state, "before_id": compared.before_id, "problem": problem, "report_url": url, **result}


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


def census(taken: Census, reading: Reading) -> Document:
    """Return the JSON of /census: types, totals, the interval, the walker and why it was chosen."""
    return {**_walked(taken, reading), "types": [asdict(count) for count in taken.types]}


def verdict(judged: Verdict, alerted: LeakAlert | None) -> Document:
    """Return the JSON of /verdict: the verdict in three lines and in numbers, and the last alert."""
    with late_imports():
        from heap_exporter.report import reason_text
        from heap_exporter.report.verdict_text import verdict_document

    trends = [
        {**asdict(trend), "slope_mb_per_hour": trend.slope_bytes_per_second * 3600 / 1e6} for trend in judged.trends
    ]
    document = asdict(judged)
    del document["finding"]
    growers = document.pop("growing_types")
    reasons = list(reason_text.sentences(judged))
    return {
        **document,
        "summary": verdict_document(judged, alerted),
        "reasons": reasons,
        "trends": trends,
        "growers": growers,
        "lost": _lost_groups(judged.finding),
        "alert": alerted and alert(alerted),
    }


def alert(sent: LeakAlert) -> Document:
    """Return the alert in the JSON of /verdict: when it was sent, what accumulates where, and its snapshot ids."""
    with late_imports():
        from heap_exporter.report.advice_text import alert_advice
        from heap_exporter.report.allocation_documents import allocation_document
        from heap_exporter.report.finding_text import accumulation_document
        from heap_exporter.report.verdict_text import verdict_document

    return {
        "judged_at": sent.verdict.judged_at,
        "cause": sent.verdict.cause,
        "fingerprint": sent.fingerprint,
        "summary": verdict_document(sent.verdict, sent),
        "snapshot_ids": [info.id for info in sent.snapshots],
        "accumulation": sent.accumulation and accumulation_document(sent.accumulation),
        "mappings": [asdict(mapping) for mapping in sent.mappings],
        "allocated_at": [allocation_document(growth) for growth in sent.allocated_at],
        "lost": _lost_groups(sent.verdict.finding),
        "advice": alert_advice(sent),
    }


def _lost_groups(finding: Finding | None) -> list[Document]:
    return [group_member(group) for group in finding.lost] if finding else []


def lost(growth: LostGrowth) -> Document:
    """Return the JSON of /lost: what C code lost from the first search to the last."""
    search = lost_member(growth.search)
    del search["groups"], search["has_more"]
    return {
        "before_at": growth.before_at,
        "after_at": growth.search.taken_at,
        "groups": [group_member(group) for group in growth.groups[:LOST_GROUPS]],
        "groups_total": len(growth.groups),
        "duration_seconds": growth.search.duration_seconds,
        "pause_seconds": growth.search.pause_seconds,
        "search": search,
    }


def status(reading: Reading, shown: ShownSnapshots, compared: Comparison | None, root: str, pid: int) -> Document:
    """Return the content of the status page as JSON; ``compared`` is the newest comparison."""
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
        "comparison": compared and comparison(compared, root),
    }


def _walked(census: Census, reading: Reading) -> Document:
    """Return a census without its types, as a part of the JSON of an HTTP route."""
    return {
        "objects": census.objects,
        "bytes": census.bytes,
        "references": census.references,
        "taken_at": census.taken_at,
        "duration_seconds": census.duration_seconds,
        "pause_seconds": census.pause_seconds,
        "cpu_seconds": census.cpu_seconds,
        "walker": census.walker,
        "in_process": census.in_process,
        "generation_objects": census.generation_objects,
        "interval_seconds": reading.census_interval_seconds,
        "chosen_walker": reading.walker and asdict(reading.walker),
    }
