"""A diff has the change of each type and of each path; objects match by path and type, not by address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heap_exporter import analysis
from heap_exporter.analysis import Change, Diff, compare
from heap_exporter.analysis.results import ChangeKind, PathChange
from heap_exporter.report.path_text import path_text, path_to_type
from tests.heaps.objects import made, module, write
from tests.heaps.steps import path
from tests.heaps.trees import Branch, heap


def modules(*below: Branch) -> Branch:
    return Branch("", below=(Branch("modules", below=below),))


def value(name: str, objects: int = 1, type_name: str = "shop.Item") -> Branch:
    return Branch(name, type_name, objects, 100)


def change_at(diff: Diff, *steps: str) -> PathChange:
    [change] = [change for change in diff.paths if change.steps == path(*steps)]
    return change


def test_paths_are_new_gone_grown_or_shrunk() -> None:
    before = modules(value("shop.A", 5), value("shop.B", 5), value("shop.C", 5), value("shop.D", 5))
    after = modules(value("shop.B", 8), value("shop.C", 2), value("shop.D", 5), value("shop.E", 1))

    diff = compare(heap(before), heap(after))

    kinds = {path_text(change.steps): change.kind for change in diff.paths}
    assert kinds == {"shop.A": "gone", "shop.B": "grown", "shop.C": "shrunk", "shop.E": "new"}
    assert change_at(diff, "shop.B").objects == Change(5, 8)
    assert change_at(diff, "shop.B").total_bytes.growth == 300
    assert path_to_type(path("shop.B"), change_at(diff, "shop.B").type_name) == "shop.B → Item"


def test_fewer_objects_that_take_more_have_grown() -> None:
    before, after = (modules(Branch("shop.A", "shop.Item", *sizes)) for sizes in ((5, 100), (4, 1000)))

    diff = compare(heap(before), heap(after))

    assert [change.kind for change in diff.paths] == ["grown"]
    assert [change.kind for change in diff.types] == ["grown"]


def test_types_are_summed_over_all_paths() -> None:
    before = modules(value("shop.A", 5), value("shop.B", 5), value("shop.X", 2, "shop.Old"))
    after = modules(value("shop.A", 7), value("shop.C", 9), value("shop.Y", 2, "shop.New"))

    diff = compare(heap(before), heap(after))

    changes = {change.type_name: (change.kind, change.objects.growth) for change in diff.types}
    assert changes == {"shop.Item": ("grown", 6), "shop.Old": ("gone", -2), "shop.New": ("new", 2)}
    growths = [change.retained_bytes.growth for change in diff.types]
    assert growths == sorted(growths, reverse=True)


def test_the_same_step_to_another_type_is_another_path() -> None:
    diff = compare(heap(modules(value("shop.A", 1))), heap(modules(value("shop.A", 1, "shop.Other"))))

    assert {change.type_name: change.kind for change in diff.paths} == {"shop.Item": "gone", "shop.Other": "new"}


def test_paths_that_differ_in_numbers_only_match() -> None:
    diff = compare(heap(modules(value("shop.run_17", 1))), heap(modules(value("shop.run_4", 3))))

    assert change_at(diff, "shop.run_…").objects == Change(1, 3)


def test_addresses_do_not_matter(tmp_path: Path) -> None:
    first, second = (
        write(tmp_path / f"{seed}.heap", {"shop": module(X=made("list", made("shop.Item")))}, seed=seed)
        for seed in (1, 2)
    )

    diff = compare(analysis.open(first), analysis.open(second))

    assert (diff.types, diff.paths, diff.suspects) == ((), (), ())


def test_minutes_are_those_between_the_snapshots() -> None:
    tree = modules(value("shop.A"))

    before, after = (heap(tree, taken_at=600.0 + age, uptime_seconds=age) for age in (50.0, 350.0))

    assert compare(before, after).minutes == 5.0


@pytest.mark.parametrize("other_process", [{"pid": 9, "uptime_seconds": 400.0}, {"uptime_seconds": 3.0}])
def test_between_two_processes_there_is_no_growth_per_minute(other_process: dict[str, Any]) -> None:
    before = heap(modules(value("shop.A", 0)), taken_at=1000.0, uptime_seconds=100.0)

    diff = compare(before, heap(modules(value("shop.A", 9999)), taken_at=1300.0, **other_process))

    assert diff.minutes is None
    assert [suspect.bytes_per_minute for suspect in diff.suspects] == [None]


def test_snapshots_of_different_walkers_are_not_searched_for_suspects() -> None:
    before, after = heap(modules(value("shop.A", 0))), heap(modules(value("shop.A", 9999)), walker="portable")

    diff = compare(before, after)

    assert not diff.suspects
    assert not diff.is_comparable


def test_snapshots_in_the_wrong_order_have_no_growth_per_minute() -> None:
    before, after = (
        heap(modules(value("shop.A", 0)), taken_at=900.0, uptime_seconds=400.0),
        heap(modules(value("shop.A", 9999)), taken_at=600.0, uptime_seconds=100.0),
    )

    diff = compare(before, after)

    assert diff.minutes is None
    assert [suspect.bytes_per_minute for suspect in diff.suspects] == [None]


def test_a_global_of_two_modules_matches_although_each_snapshot_names_another_module() -> None:
    before = modules(Branch("web", "module", 1, 72, (Branch("web.STORE", "dict", 1, 64),)), Branch("shop", "module", 1))
    entries = (Branch("dict value", "shop.Item", 900, 100),)
    after = modules(
        Branch("web", "module", 1, 72), Branch("shop", "module", 1, 0, (Branch("shop.STORE", "dict", 1, 64, entries),))
    )

    diff = compare(heap(before), heap(after))

    assert [suspect.holder for suspect in diff.suspects] == [path("shop.STORE")]


def test_a_global_is_not_matched_with_another_one_whose_module_the_other_program_lacks() -> None:
    methods = (Branch("Group.invoke", "shop.Method", 1, 100),)
    before = modules(Branch("click", "module", 1, 72, (Branch("click.Group", "type", 1, 64, methods),)))
    after = modules(Branch("rich", "module", 1, 72, (Branch("rich.Group", "type", 1, 64),)))

    kinds = {change.steps: change.kind for change in compare(heap(before), heap(after)).paths}

    assert kinds[path("click.Group")] is ChangeKind.GONE
    assert kinds[path("rich.Group")] is ChangeKind.NEW


@pytest.mark.parametrize(
    ("pid", "kinds"),
    [
        (8, {"web.a": ChangeKind.SHRUNK, "web.b": ChangeKind.GROWN}),
        (7, {"web.a": ChangeKind.GONE, "web.b": ChangeKind.NEW}),
    ],
)
def test_what_another_program_holds_by_another_path_is_not_gone(pid: int, kinds: dict[str, ChangeKind]) -> None:
    before = modules(Branch("web", "module", 1, 72, (Branch("web.a", "dict", 1, 64),)))
    after = modules(Branch("web", "module", 1, 72, (Branch("web.b", "dict", 1, 64),)))

    found = compare(heap(before, pid=7), heap(after, pid=pid))

    assert {change.steps: change.kind for change in found.paths} == {path(name): kind for name, kind in kinds.items()}


def test_a_function_of_a_module_of_both_programs_is_not_gone() -> None:
    functions = (Branch("functools.lru_cache", "function", 3, 64),)
    before = modules(Branch("functools", "module", 1, 72, functions), Branch("__main__", "module", 1, 72))
    after = modules(Branch("functools", "module", 1, 72), Branch("__main__", "module", 1, 72))

    found = compare(heap(before, pid=7), heap(after, pid=8))

    assert change_at(found, "functools.lru_cache").kind is ChangeKind.SHRUNK


def test_main_keeps_its_name_when_multiprocessing_adds_another_one(tmp_path: Path) -> None:
    before, after = (
        module(X=made("list", *(made("shop.Item", size_bytes=400) for _ in range(objects)))) for objects in (10, 900)
    )

    diff = compare(
        analysis.open(write(tmp_path / "a.heap", {"__main__": before})),
        analysis.open(write(tmp_path / "b.heap", {"__mp_main__": after, "__main__": after})),
    )

    assert [suspect.holder for suspect in diff.suspects] == [path("__main__.X")]
