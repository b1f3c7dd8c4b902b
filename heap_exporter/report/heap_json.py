"""The summary of a snapshot as one JSON document; ``docs/json.md`` documents it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from heap_exporter.analysis.graph import Graph
from heap_exporter.analysis.results import Group, Heap, ProgressCallback, ignore_progress
from heap_exporter.model.accumulation_json import step_document
from heap_exporter.report.json_documents import holding_row
from heap_exporter.report.path_text import step_text

SUFFIX = ".json"
VERSION = 1


def write(graph: Graph, heap: Heap, target: Path, progress: ProgressCallback = ignore_progress) -> None:  # noqa: ARG001 - as all do
    """Write the summary of a snapshot as JSON to the file ``target``. May raise ``OSError``."""
    with target.open("w", encoding="ascii", newline="\n") as out:
        out.write("{\n" + ",\n".join(f"{json.dumps(name)}: {text}" for name, text in _members(heap)) + "\n}\n")
    progress("writing", 1.0)


def _members(heap: Heap) -> Iterator[tuple[str, str]]:
    plain = {
        "document": "heap",
        "version": VERSION,
        "path": str(heap.path),
        "header": asdict(heap.header),
        "footer": asdict(heap.footer),
        "objects": heap.objects,
        "references": heap.references,
        "unknown_references": heap.unknown_references,
        "shallow_bytes": heap.shallow_bytes,
    }
    for name, value in plain.items():
        yield name, json.dumps(value)
    yield "holdings", _rows(holding_row(holding) for holding in heap.holdings)
    yield "types", _rows(asdict(row) for row in heap.types)
    yield "paths", _rows(map(_group_row, heap.groups))


def _group_row(group: Group) -> dict[str, Any]:
    return {
        "parent": group.parent,
        "label": step_text(group.step),
        "step": step_document(group.step),
        "type_name": group.type_name,
        "objects": group.objects,
        "shallow_bytes": group.shallow_bytes,
        "retained_bytes": group.retained_bytes,
        "total_bytes": group.total_bytes,
    }


def _rows(rows: Iterable[dict[str, Any]]) -> str:
    """Return rows as a JSON array, one a line."""
    return "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]"
