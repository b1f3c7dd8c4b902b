"""The JSON document of a leak alert, for the log, the webhook and OpenTelemetry; ``docs/alerts.md`` describes it.

It has types, places and numbers; no environment variable, no argument of the program, and no value of an object.
"""

from __future__ import annotations

import dataclasses
import os
import socket
from typing import Any

from heap_exporter._version import VERSION
from heap_exporter.heapfile.recorded_lost import group_member
from heap_exporter.model import Accumulation, LeakAlert, Member, MemoryKind, Verdict
from heap_exporter.report import reason_text
from heap_exporter.report.allocation_documents import allocation_document
from heap_exporter.report.comparison_problem_text import comparison_problem_text
from heap_exporter.report.path_text import path_text, step_texts
from heap_exporter.report.verdict_text import verdict_summary
from heap_exporter.runtime.interpreter import python_version
from heap_exporter.runtime.service_name import service_name

DOCUMENT, DOCUMENT_VERSION = "leak-alert", 1
FIRING, RESOLVED = "firing", "resolved"

AlertDocument = dict[str, Any]


def alert_document(alert: LeakAlert, member: Member | None = None) -> AlertDocument:
    """Return the JSON document of an alert of this process, which is ``member`` of a fleet."""
    verdict = alert.verdict
    service, worker = (member.service, member.worker) if member else (service_name(), None)
    host = socket.gethostname()
    return {
        "document": DOCUMENT,
        "version": DOCUMENT_VERSION,
        "status": FIRING,
        "text": _text(alert, _named(service, worker, os.getpid(), host)),
        "fingerprint": alert.fingerprint,
        "service": service,
        "worker": worker,
        "host": host,
        "pid": os.getpid(),
        "python_version": python_version(),
        "heap_exporter_version": VERSION,
        **_verdict_members(verdict),
        **_accumulation_members(alert.accumulation),
        "growers": [dataclasses.asdict(grower) for grower in verdict.growing_types],
        "mappings": [dataclasses.asdict(mapping) for mapping in alert.mappings],
        "allocated_at": [allocation_document(growth) for growth in alert.allocated_at],
        "lost": [group_member(group) for group in verdict.finding.lost] if verdict.finding else [],
        "snapshots": [
            {"id": each.id, "path": str(each.path), "taken_at": each.taken_at, "bytes": each.bytes}
            for each in alert.snapshots
        ],
        "ended_at": None,
        "comparison_problem": comparison_problem_text(alert.comparison_problem),
        "advice": verdict_summary(alert.verdict, alert).advice,
    }


def resolved_document(document: AlertDocument, ended_at: float, *, has_process_ended: bool) -> AlertDocument:
    """Return the document of an alert that has ended, at a time in Unix seconds."""
    who = _named(document["service"], document["worker"], document["pid"], document["host"])
    why = "the process has ended" if has_process_ended else "its memory has not grown like a leak for one window"
    text = f"memory leak ended in {who}: {why}"
    return {**document, "status": RESOLVED, "ended_at": ended_at, "text": text}


def _named(service: str, worker: str | None, pid: int, host: str) -> str:
    """Return the words that name the process of an alert."""
    return f"{service} ({f'worker {worker}, ' if worker else ''}process {pid} on {host})"


def _text(alert: LeakAlert, who: str) -> str:
    """Return the alert as a few sentences; if snapshots were not compared, with the command that compares them."""
    verdict = alert.verdict
    cause = f", {verdict.cause.value}" if verdict.cause else ""
    growth, holder, advice = verdict_summary(verdict, alert)
    sentences = (growth, holder, advice.removesuffix(".") if alert.comparison_problem else "")
    return f"memory leak {verdict.state.value} in {who}{cause}: {'. '.join(filter(None, sentences))}"


def _verdict_members(verdict: Verdict) -> AlertDocument:
    """Return the members of the alert document that come from the verdict."""
    slopes = {trend.kind.value: trend.slope_bytes_per_second for trend in verdict.trends}
    return {
        "judged_at": verdict.judged_at,
        "state": verdict.state.value,
        "cause": verdict.cause.value if verdict.cause else None,
        "reasons": list(reason_text.sentences(verdict)),
        "confidence": verdict.confidence,
        "window_seconds": verdict.window_seconds,
        "evidence_seconds": verdict.evidence_seconds,
        "slope_bytes_per_second": slopes.get(MemoryKind.TOTAL.value),
        "slopes_bytes_per_second": slopes,
        "seconds_to_limit": verdict.seconds_to_limit,
    }


def _accumulation_members(accumulation: Accumulation | None) -> AlertDocument:
    """Return the members of the alert document on where objects accumulate, null without compared snapshots."""
    return {
        "type_name": accumulation and accumulation.type_name,
        "holder": accumulation and path_text(accumulation.holder),
        "path": list(step_texts(accumulation.path)) if accumulation else None,
        "growth_objects": accumulation and accumulation.objects,
        "growth_bytes": accumulation and accumulation.bytes,
        "growth_native_bytes": accumulation and accumulation.native_bytes,
        "growth_bytes_per_minute": accumulation and accumulation.bytes_per_minute,
        "growth_share": accumulation and accumulation.share,
    }
