"""The JSON documents and their documentation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heap_exporter.report import json_documents
from tests.heaps import trees

PAGE = Path(__file__).parents[3] / "docs" / "json.md"

FROM_THE_FILE = ("header", "footer")
"""Members whose members the file format documents."""


def every_document(file: Path) -> list[json_documents.Document]:
    before, after = trees.heap(trees.shop(10)), trees.heap(trees.shop(20), "b.heap", taken_at=1.7e9 + 900)
    found = trees.diff(before, after, [trees.suspect()])
    file.write_bytes(b"123")
    return [
        json_documents.top(after, after.types),
        json_documents.diff(found, 9),
        json_documents.report(found, 9),
        json_documents.report(after, 9),
        json_documents.path(after, after.types[:1], [2, 3], 9),
        json_documents.info(file, after.header, after.footer, holdings=after.holdings, types=after.types),
    ]


def members(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from members(each)
    elif isinstance(value, dict):
        yield from value
        for name, each in value.items():
            yield from () if name in FROM_THE_FILE else members(each)


def test_every_member_is_documented(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    found = {name for document in every_document(tmp_path / "a") for name in members(document)}

    assert sorted(name for name in found if f"`{name}`" not in page and f'"{name}"' not in page) == []


def test_documents_are_plain_json(tmp_path: Path) -> None:
    for document in every_document(tmp_path / "a"):
        assert json.loads(json.dumps(document)) == document
        assert document["version"] == 1


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_a_limit_comes_with_the_total_number(limit: int) -> None:
    found = trees.diff(trees.heap(trees.shop(10)), trees.heap(trees.shop(20)))

    document = json_documents.diff(found, limit)

    assert len(document["paths"]) == min(limit, document["paths_total"])
    assert document["types_total"] == len(found.types)
