"""``convert --to json`` writes the whole summary, and the page describes every member."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from heap_exporter import analysis
from heap_exporter.analysis.summary import summarise
from heap_exporter.report import heap_json
from heap_exporter.report.path_text import step_text
from tests.heaps.files import small_graph, write_file

PAGE = Path(__file__).parents[3] / "docs" / "json.md"


def written(folder: Path) -> tuple[analysis.Heap, dict[str, Any]]:
    graph = analysis.load(write_file(folder / "a.heap", small_graph))
    heap = summarise(graph)
    heap_json.write(graph, heap, folder / "a.json")
    document: dict[str, Any] = json.loads((folder / "a.json").read_text())
    return heap, document


def test_the_document_is_the_summary(tmp_path: Path) -> None:
    heap, document = written(tmp_path)

    assert (document["document"], document["version"]) == ("heap", 1)
    assert document["paths"] == [
        {**asdict(group), "step": group.step._asdict(), "label": step_text(group.step)} for group in heap.groups
    ]
    assert document["types"] == [asdict(row) for row in heap.types]
    assert [holding["name"] for holding in document["holdings"]] == ["reachable", "held from outside", "garbage"]
    assert document["shallow_bytes"] == sum(row["shallow_bytes"] for row in document["types"])


def test_every_member_is_documented(tmp_path: Path) -> None:
    _, document = written(tmp_path)
    members = {*document, *document["header"], *document["footer"], *document["holdings"][0], *document["types"][0]}

    assert [name for name in sorted({*members, *document["paths"][0]}) if f"`{name}`" not in PAGE.read_text()] == []
