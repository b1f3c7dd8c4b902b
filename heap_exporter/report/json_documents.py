"""The documents that ``--json`` prints. docs/json.md documents them; members are added, never removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from heap_exporter.analysis.results import Change, Diff, Heap, Holding, PathChange, Suspect, TypeChange, TypeRow
from heap_exporter.errors import SnapshotFileError
from heap_exporter.heapfile.header import Footer, Header
from heap_exporter.heapfile.recorded_allocations import allocated_between
from heap_exporter.heapfile.recorded_lost import group_member, lost_between
from heap_exporter.model import LostGroup, SnapshotInfo
from heap_exporter.model.accumulation_json import path_document
from heap_exporter.report import sentences
from heap_exporter.report.advice_text import pattern_advice
from heap_exporter.report.allocation_documents import allocation_document
from heap_exporter.report.finding_text import comparison_text, suspect_accumulation, suspect_text
from heap_exporter.report.largest import most_changed
from heap_exporter.report.path_text import HOLDING_NAMES, path_text, path_to_type, step_texts
from heap_exporter.report.verdict_text import accumulation_summary

VERSION = 1

Document = dict[str, Any]


def top(heap: Heap, rows: Sequence[TypeRow]) -> Document:
    """Return the JSON document of ``top``: some of the types of a snapshot, in the order given."""
    return _document("top", snapshot=_snapshot(heap), types_total=len(heap.types), types=[asdict(row) for row in rows])


def diff(diff: Diff, limit: int) -> Document:
    """Return the JSON document of ``diff``: the ``limit`` types and paths that changed most."""
    return _document(
        "diff",
        before=_snapshot(diff.before),
        after=_snapshot(diff.after),
        minutes=diff.minutes,
        notes=list(sentences.comparison_notes(diff)),
        **_changes(diff, limit),
    )


def snapshot_list(
    folder: Path, snapshots: Sequence[SnapshotInfo], problems: Sequence[SnapshotFileError], limit: int
) -> Document:
    """Return the JSON document of ``list``: the ``limit`` newest snapshots, and the files that cannot be read."""
    return _document(
        "list",
        folder=str(folder),
        snapshots_total=len(snapshots),
        snapshots=[{**asdict(info), "path": str(info.path)} for info in snapshots[:limit]],
        unreadable=[{"path": str(problem.path), "problem": problem.problem} for problem in problems],
    )


def report(result: Heap | Diff, limit: int) -> Document:
    """Return the JSON document of ``report``: for two snapshots with suspects, for one with what holds its memory."""
    if isinstance(result, Heap):
        return _document(
            "report",
            before=None,
            after=_snapshot(result),
            holdings=[holding_row(holding) for holding in result.holdings],
            types_total=len(result.types),
            types=[asdict(row) for row in result.types[:limit]],
            paths_total=len(result.groups),
            paths=[path_row(result, index) for index in _by_bytes(result)[:limit]],
        )
    return _document(
        "report",
        before=_snapshot(result.before),
        after=_snapshot(result.after),
        minutes=result.minutes,
        notes=list(sentences.comparison_notes(result)),
        verdict=comparison_text(result),
        native_bytes=result.native_bytes,
        suspects=[_suspect(suspect) for suspect in result.suspects],
        allocated_at=[
            allocation_document(line) for line in allocated_between(result.before.header, result.after.header)
        ],
        lost=_lost(result),
        holdings=[holding_row(holding) for holding in result.after.holdings],
        **_changes(result, limit),
    )


def lost(before: Header, after: Header, grown: Sequence[LostGroup]) -> Document:
    """Return the JSON document of ``lost``: what was lost from one snapshot to another."""
    return _document(
        "lost",
        before={"id": before.id, "taken_at": before.taken_at},
        after={"id": after.id, "taken_at": after.taken_at},
        groups=[group_member(group) for group in grown],
        search=after.lost,
        allocated_at=[allocation_document(line) for line in allocated_between(before, after)],
    )


def _lost(diff: Diff) -> list[Document] | None:
    """Return the groups of blocks that were lost between two snapshots, ``None`` if that is unknown."""
    grown = lost_between(diff.before.header, diff.after.header)
    return None if grown is None else [group_member(group) for group in grown]


def path(heap: Heap, types: Sequence[TypeRow], indexes: Sequence[int], limit: int) -> Document:
    """Return the JSON document of ``path``: the types that match, and the groups of their objects."""
    return _document(
        "path",
        snapshot=_snapshot(heap),
        types=[asdict(row) for row in types],
        paths_total=len(indexes),
        paths=[path_row(heap, index) for index in indexes[:limit]],
    )


def info(
    file: Path, header: Header, footer: Footer, *, holdings: Sequence[Holding], types: Sequence[TypeRow]
) -> Document:
    """Return the JSON document of ``info``; only a graph has ``holdings``, only a census has ``types``."""
    return _document(
        "info",
        path=str(file),
        file_bytes=file.stat().st_size,
        header=asdict(header),
        footer=asdict(footer),
        holdings=[holding_row(holding) for holding in holdings],
        types=[_counted(row) for row in types],
    )


def path_row(heap: Heap, index: int) -> Document:
    """Return one group of a snapshot, with the path to it as text, for a JSON report."""
    group = heap.groups[index]
    path = heap.steps(index)
    return {
        "path": list(step_texts(path)),
        "steps": path_document(path),
        "text": path_to_type(path, group.type_name),
        "type_name": group.type_name,
        "objects": group.objects,
        "shallow_bytes": group.shallow_bytes,
        "retained_bytes": group.retained_bytes,
        "total_bytes": group.total_bytes,
    }


def _document(name: str, **members: object) -> Document:
    return {"document": name, "version": VERSION, **members}


def _snapshot(heap: Heap) -> Document:
    header = heap.header
    return {
        "path": str(heap.path),
        "id": header.id,
        "taken_at": header.taken_at,
        "reason": header.reason,
        "walker": header.walker,
        "pid": header.pid,
        "uptime_seconds": header.uptime_seconds,
        "python_version": header.python_version,
        "implementation": header.implementation,
        "objects": heap.objects,
        "references": heap.references,
        "unknown_references": heap.unknown_references,
        "shallow_bytes": heap.shallow_bytes,
    }


def _changes(diff: Diff, limit: int) -> Document:
    return {
        "types_total": len(diff.types),
        "types": [_type_change(change) for change in most_changed(diff.types, limit)],
        "paths_total": len(diff.paths),
        "paths": [_path_change(change) for change in most_changed(diff.paths, limit)],
    }


def _type_change(change: TypeChange) -> Document:
    return {"type_name": change.type_name, "kind": change.kind, **_figures(change)}


def _path_change(change: PathChange) -> Document:
    return {
        "path": list(step_texts(change.steps)),
        "steps": path_document(change.steps),
        "text": path_to_type(change.steps, change.type_name),
        "type_name": change.type_name,
        "kind": change.kind,
        **_figures(change),
        "total_bytes": _change(change.total_bytes),
    }


def _suspect(suspect: Suspect) -> Document:
    return {
        "text": suspect_text(suspect),
        "summary": accumulation_summary(suspect_accumulation(suspect))._asdict(),
        "fingerprint": suspect.fingerprint,
        "type_name": suspect.type_name,
        "holder": path_text(suspect.holder),
        "holder_steps": path_document(suspect.holder),
        "path": list(step_texts(suspect.path)),
        "steps": path_document(suspect.path),
        **_figures(suspect),
        "total_bytes": _change(suspect.total_bytes),
        "share": suspect.share,
        "native_bytes": suspect.native_bytes,
        "bytes_per_minute": suspect.bytes_per_minute,
        "holding": HOLDING_NAMES[suspect.holding],
        "pattern": suspect.pattern,
        "advice": pattern_advice(suspect.pattern),
    }


def _figures(change: TypeChange | PathChange | Suspect) -> Mapping[str, Document]:
    return {
        "objects": _change(change.objects),
        "shallow_bytes": _change(change.shallow_bytes),
        "retained_bytes": _change(change.retained_bytes),
    }


def _change(change: Change) -> Document:
    return {"before": change.before, "after": change.after, "growth": change.growth}


def holding_row(holding: Holding) -> Document:
    """Return the objects that are held in one way, for a JSON report."""
    return {
        "name": HOLDING_NAMES[holding.kind],
        "objects": holding.objects,
        "shallow_bytes": holding.shallow_bytes,
        "types": [asdict(row) for row in holding.types],
    }


def _counted(row: TypeRow) -> Document:
    return {"type_name": row.type_name, "objects": row.objects, "shallow_bytes": row.shallow_bytes}


def _by_bytes(heap: Heap) -> list[int]:
    typed = [index for index, group in enumerate(heap.groups) if group.type_name]
    return sorted(typed, key=lambda index: -heap.groups[index].total_bytes)
