"""The summary of a snapshot: its types by retained bytes, and its objects by what holds them."""

from __future__ import annotations

from pathlib import Path

from heap_exporter import analysis
from heap_exporter.analysis import TypeRow
from tests.heaps.objects import Made, dict_of, made, module, write


def session() -> Made:
    return made("shop.Session", size_bytes=48, cart=made("list", made("shop.Item", size_bytes=100), size_bytes=80))


def test_types_come_by_the_bytes_that_their_objects_retain_together(tmp_path: Path) -> None:
    store = dict_of({"a": session(), "b": session()})
    heap = analysis.open(write(tmp_path / "a.heap", {"shop": module(SESSIONS=store)}))

    rows = {row.type_name: row for row in heap.types}

    assert rows["shop.Session"] == TypeRow("shop.Session", 2, 96, 2 * (48 + 80 + 100))
    assert rows["shop.Item"] == TypeRow("shop.Item", 2, 200, 200)
    assert [row.retained_bytes for row in heap.types] == sorted(
        (row.retained_bytes for row in heap.types), reverse=True
    )
    assert heap.types[0].type_name == "module"
    assert heap.objects == sum(row.objects for row in heap.types)
    assert heap.shallow_bytes == sum(row.shallow_bytes for row in heap.types) == heap.groups[0].total_bytes


def test_each_kind_of_holding_has_its_largest_types(tmp_path: Path) -> None:
    held = made("lib.Buffer", made("bytes", size_bytes=1000), extra=1)
    heap = analysis.open(write(tmp_path / "a.heap", {"shop": module(ONE=session())}, loose=[held]))

    reachable, outside, garbage = heap.holdings

    assert outside.types == (TypeRow("lib.Buffer", 1, 64, 1064), TypeRow("bytes", 1, 1000, 1000))
    assert (outside.objects, outside.shallow_bytes) == (2, 1064)
    assert reachable.objects == heap.objects - 2
    assert (garbage.objects, garbage.types) == (0, ())


def test_progress_is_reported_to_its_end(tmp_path: Path) -> None:
    reported: list[tuple[str, float]] = []

    analysis.open(write(tmp_path / "a.heap", {"shop": module()}), lambda stage, done: reported.append((stage, done)))

    assert reported[-1] == ("summarising", 1.0)
