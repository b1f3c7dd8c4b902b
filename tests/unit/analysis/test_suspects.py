"""Suspects are the places where objects accumulate; short-lived objects and the contents of new holders are not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from heap_exporter.analysis import Change, Diff, compare
from heap_exporter.analysis.results import HoldingKind
from heap_exporter.model.paths import SYS_MODULES, LeakPattern
from heap_exporter.report.finding_text import comparison_text, suspect_text
from tests.heaps.steps import path
from tests.heaps.trees import Branch, heap

KIB = 1024
MIB = 1024 * KIB


def found(before: Branch, after: Branch) -> Diff:
    return compare(
        heap(before, taken_at=1000.0, uptime_seconds=5.0), heap(after, taken_at=1600.0, uptime_seconds=605.0)
    )


def globals_of(*values: Branch, module: str = "shop") -> Branch:
    return Branch("modules", below=(Branch(module, "module", 1, 72, values),))


def store(objects: int, each: int = KIB, type_name: str = "shop.Session", **more: Branch) -> Branch:
    entry = Branch("dict value", type_name, objects, each, tuple(more.values()))
    return Branch("shop.STORE", "dict", 1, 64 + 20 * objects, (entry,))


def heap_of(*values: Branch, others: tuple[Branch, ...] = ()) -> Branch:
    return Branch("", below=(globals_of(*values), *others))


def test_what_accumulates_is_named_with_its_holder() -> None:
    diff = found(heap_of(store(100)), heap_of(store(1100)))

    [suspect] = diff.suspects
    assert (suspect.type_name, suspect.holder) == ("shop.Session", path("shop.STORE"))
    assert suspect.path == path("shop.STORE", "dict value")
    assert suspect.objects.growth == 1000
    assert suspect.total_bytes.growth == 1000 * (KIB + 20)
    assert suspect.share == 1.0
    assert suspect.bytes_per_minute == 100 * (KIB + 20)
    assert suspect.holding is HoldingKind.REACHABLE
    assert comparison_text(diff) == "shop.Session accumulates in shop.STORE"


@pytest.mark.parametrize("after", [100, 140, 20, 0])
def test_short_lived_objects_are_no_suspect(after: int) -> None:
    diff = found(heap_of(store(100, 16 * KIB)), heap_of(store(after, 16 * KIB)))

    assert diff.suspects == ()
    assert comparison_text(diff).startswith("no leak suspect found")


@pytest.mark.parametrize(
    ("objects", "more", "is_suspect"),
    [(0, 3, True), (8, 8, True), (100, 3, True), (0, 2, False), (100, 2, False)],
)
def test_a_few_new_objects_are_a_suspect_if_they_are_heavy(objects: int, more: int, is_suspect: bool) -> None:
    diff = found(heap_of(store(objects, 4 * MIB)), heap_of(store(objects + more, 4 * MIB)))

    assert [suspect.objects.growth for suspect in diff.suspects] == ([more] if is_suspect else [])


def test_a_few_new_objects_that_are_a_small_part_of_the_growth_are_no_suspect() -> None:
    def heap_with(objects: int, models: int) -> Branch:
        return heap_of(store(objects, MIB), Branch("shop.MODEL", "bytes", models, 100 * MIB))

    assert not found(heap_with(8, 0), heap_with(16, 1)).suspects


IN_A_CALL = "thread worker-1 › handle() › body"
A_TASK = "event loop › task handle()"
IN_A_LIST = "thread worker-1 › collect() › bodies"


@pytest.mark.parametrize(
    ("of", "is_suspect"),
    [
        (lambda count: Branch(IN_A_CALL, "bytes", count, 4 * MIB), False),
        (lambda count: Branch(A_TASK, "_asyncio.Task", count, 4 * MIB), False),
        (lambda count: Branch(IN_A_LIST, "list", 1, 64, (Branch("list item", "bytes", count, 4 * MIB),)), True),
    ],
    ids=["a variable of several calls", "tasks", "a list in a variable of one call"],
)
def test_a_few_heavy_objects_of_running_calls_are_no_suspect_unless_a_container_has_them(
    of: Callable[[int], Branch], is_suspect: bool
) -> None:
    before, after = (
        heap_of(others=(Branch("threads", below=(Branch("thread worker-1", below=(of(count),)),)),))
        for count in (8, 16)
    )

    assert bool(found(before, after).suspects) == is_suspect


def test_a_few_heavy_objects_of_c_code_are_no_suspect() -> None:
    assert not found(
        outside(Branch("bytes", "bytes", 8, 4 * MIB)), outside(Branch("bytes", "bytes", 16, 4 * MIB))
    ).suspects


def reports(count: int, cells: int) -> Branch:
    """Return a heap with reports of many cells each."""
    table = Branch("Report.cells", "list", count, 64, (Branch("list item", "shop.Cell", cells, 100),))
    return heap_of(Branch("shop.REPORTS", "dict", 1, 64, (Branch("dict value", "shop.Report", count, 48, (table,)),)))


@pytest.mark.parametrize(("before", "after"), [(100, 130), (10, 12), (2, 3)])
def test_the_heavy_object_is_named_rather_than_what_is_inside_it(before: int, after: int) -> None:
    [suspect] = found(reports(before, 5000 * before), reports(after, 5000 * after)).suspects

    assert (suspect.type_name, suspect.holder) == ("shop.Report", path("shop.REPORTS"))
    assert suspect.objects.growth == after - before
    assert suspect.share == 1.0


@pytest.mark.parametrize(("before", "after"), [(10, 10), (10, 11), (2, 3)])
def test_what_grows_inside_of_heavy_objects_is_named_rather_than_these(before: int, after: int) -> None:
    [suspect] = found(reports(before, 5000), reports(after, 20_000)).suspects

    assert (suspect.type_name, suspect.holder) == ("shop.Cell", path("shop.REPORTS", "dict value", "Report.cells"))


def test_growth_of_a_few_bytes_is_no_suspect() -> None:
    assert not found(heap_of(store(100, 16)), heap_of(store(1100, 16))).suspects


def test_a_small_share_of_the_growth_is_no_suspect() -> None:
    before, after = heap_of(store(100)), heap_of(store(200), Branch("shop.MODEL", "bytes", 1, 2**30))

    assert path("shop.STORE") not in [suspect.holder for suspect in found(before, after).suspects]


def test_the_contents_of_a_new_module_are_new_and_no_suspect() -> None:
    new = globals_of(Branch("late.TABLE", "dict", 1, 64, (Branch("dict value", "late.Row", 5000, KIB),)), module="late")
    diff = found(heap_of(store(10)), heap_of(store(10), others=(new,)))

    assert not diff.suspects
    [change] = [change for change in diff.paths if change.type_name == "late.Row"]
    assert change.kind == "new"


def test_the_variables_of_a_new_thread_are_new_and_no_suspect() -> None:
    rows = Branch("thread T › work() › rows", "list", 1, 64, (Branch("list item", "shop.Row", 5000, KIB),))
    thread = Branch("thread T", below=(Branch("thread T › work()", below=(rows,)),))

    assert not found(heap_of(), heap_of(others=(Branch("threads", below=(thread,)),))).suspects


def test_a_holder_that_was_empty_before_can_be_a_suspect() -> None:
    [suspect] = found(heap_of(Branch("shop.STORE", "dict", 1, 64)), heap_of(store(500))).suspects

    assert suspect.holder == path("shop.STORE")


def test_the_subtree_of_a_suspect_is_not_suspected_again() -> None:
    def carts(sessions: int) -> Branch:
        items = Branch("list item", "shop.Item", sessions * 50, 200)
        return heap_of(store(sessions, cart=Branch("Session.cart", "list", sessions, 400, (items,))))

    [suspect] = found(carts(100), carts(1000)).suspects

    assert suspect.type_name == "shop.Session"
    assert suspect.total_bytes.growth == 900 * (KIB + 20 + 400 + 50 * 200)


def test_carts_that_grow_are_named_rather_than_their_sessions() -> None:
    def carts(sessions: int, items: int) -> Branch:
        item = Branch("list item", "shop.Item", sessions * items, 200)
        return heap_of(store(sessions, cart=Branch("Session.cart", "list", sessions, 8 * items, (item,))))

    [suspect] = found(carts(100, 5), carts(160, 500)).suspects

    assert (suspect.type_name, suspect.holder) == ("shop.Item", path("shop.STORE", "dict value", "Session.cart"))


def test_keys_and_values_of_a_dict_are_one_suspect() -> None:
    def keyed(entries: int) -> Branch:
        below = (Branch("dict key", "str", entries, 100), Branch("dict value", "shop.Session", entries, KIB))
        return heap_of(Branch("shop.STORE", "dict", 1, 64, below))

    [suspect] = found(keyed(10), keyed(2000)).suspects

    assert suspect.type_name == "shop.Session"
    assert suspect.shallow_bytes.growth == 1990 * KIB
    assert suspect.total_bytes == Change(64 + 10 * (KIB + 100), 64 + 2000 * (KIB + 100))
    assert suspect.share == 1.0


def test_items_of_many_types_are_one_suspect_with_the_bytes_of_all() -> None:
    def mixed(objects: int) -> Branch:
        items = tuple(Branch("list item", f"shop.Event{name}", objects, KIB) for name in "ABCDEFGHIJ")
        return heap_of(Branch("shop.LOG", "list", 1, 64 + 80 * objects, items))

    [suspect] = found(mixed(10), mixed(1010)).suspects

    assert suspect.total_bytes.growth == 10 * 1000 * KIB + 80 * 1000
    assert suspect.objects.growth == 1000
    assert suspect.share == 1.0


def test_a_large_new_group_is_no_suspect_but_reported() -> None:
    cache = Branch("shop.Store._cache", "dict", 1, KIB, (Branch("dict value", "shop.Invoice", 5 * KIB, KIB),))
    before, after = (
        heap_of(Branch("shop.Store", "type", 1, KIB, below), Branch("shop.hits", "int", 1, size))
        for below, size in [((), 28), ((cache,), 32)]
    )

    diff = found(before, after)

    assert not diff.suspects
    assert comparison_text(diff) == (
        "no leak suspect found, but 5.0 MiB is new in shop.Store._cache; "
        "a third snapshot will show whether it continues to grow"
    )


@pytest.mark.parametrize(
    "new",
    [
        globals_of(Branch("late.TABLE", "bytes", 1, 2**30), module="late"),
        globals_of(Branch("shop.Late", "type", 1, 64, (Branch("Late.TABLE", "bytes", 1, 2**30),))),
        Branch("threads", below=(Branch("thread T", below=(Branch("thread T › f() › x", "bytes", 1, 2**30),)),)),
        Branch("held from outside", below=(Branch("bytes", "bytes", 1, 2**30),)),
    ],
    ids=["module", "class", "thread", "C code"],
)
def test_a_new_group_of_new_code_or_of_a_new_thread_is_not_reported(new: Branch) -> None:
    diff = found(heap_of(others=(Branch(new.label),)), heap_of(others=(new,)))

    assert comparison_text(diff).startswith("no leak suspect found")


def test_the_type_of_the_application_is_named_rather_than_its_containers() -> None:
    def pairs(entries: int) -> Branch:
        session = Branch("tuple item", "shop.Session", entries, 500)
        moment = Branch("tuple item", "float", entries, 24)
        return heap_of(
            Branch("shop.LOG", "list", 1, 64, (Branch("list item", "tuple", entries, 56, (session, moment)),))
        )

    [suspect] = found(pairs(10), pairs(2000)).suspects

    assert (suspect.type_name, suspect.holder) == ("shop.Session", path("shop.LOG"))
    assert suspect.path == path("shop.LOG", "list item", "tuple item")
    assert suspect.total_bytes.growth == 1990 * (56 + 500 + 24)


def test_a_built_in_type_is_named_where_no_type_of_the_application_grew() -> None:
    [suspect] = found(heap_of(store(10, type_name="bytes")), heap_of(store(900, type_name="bytes"))).suspects

    assert suspect.type_name == "bytes"


def test_a_buffer_that_grows_without_more_objects_is_a_suspect() -> None:
    before, after = (heap_of(Branch("shop.BUFFER", "bytearray", 1, size)) for size in (KIB, 2**20))

    [suspect] = found(before, after).suspects

    assert (suspect.type_name, suspect.holder, suspect.path) == ("bytearray", path("shop"), path("shop.BUFFER"))


def test_a_list_that_grows_by_its_items_is_not_a_second_suspect() -> None:
    def log(entries: int) -> Branch:
        item = Branch("list item", "int", entries, 28)
        return heap_of(Branch("shop.LOG", "list", 1, 64 + 60 * entries, (item,)))

    assert [suspect.type_name for suspect in found(log(10), log(20_000)).suspects] == ["int"]


def test_suspects_come_by_falling_growth() -> None:
    def two(entries: int) -> Branch:
        other = Branch("shop.LOG", "list", 1, 64, (Branch("list item", "shop.Entry", entries, 2 * KIB),))
        return heap_of(store(entries), other)

    diff = found(two(10), two(1000))

    assert [suspect.type_name for suspect in diff.suspects] == ["shop.Entry", "shop.Session"]
    assert comparison_text(diff) == "shop.Entry accumulates in shop.LOG; 1 more suspect"


def test_weak_references_to_suspects_are_no_suspects() -> None:
    def tasks(count: int) -> Branch:
        weak = Branch("asyncio.tasks._all", "set", 1, 64, (Branch("set item", "weakref.ReferenceType", count, 80),))
        return heap_of(store(count), others=(globals_of(weak, module="asyncio.tasks"),))

    assert [suspect.type_name for suspect in found(tasks(10), tasks(5000)).suspects] == ["shop.Session"]


@pytest.mark.parametrize(
    ("label", "type_name", "entry"),
    [
        ("re._cache2", "dict", "dict value"),
        ("urllib.parse.urlsplit", "functools._lru_cache_wrapper", "lru_cache entry"),
    ],
)
def test_caches_of_the_standard_library_with_a_limit_are_no_suspects(label: str, type_name: str, entry: str) -> None:
    def cached(entries: int) -> Branch:
        return globals_of(
            Branch(label, type_name, 1, 64, (Branch(entry, "tuple", entries, KIB),)), module=label.rpartition(".")[0]
        )

    assert not found(heap_of(others=(cached(10),)), heap_of(others=(cached(200),))).suspects


def test_a_cache_of_the_standard_library_with_thousands_of_entries_is_a_suspect() -> None:
    def patterns(entries: int) -> Branch:
        entry = Branch("lru_cache entry", "re.Pattern", entries, KIB)
        cache = Branch("fnmatch._compile_pattern", "functools._lru_cache_wrapper", 1, 64, (entry,))
        return globals_of(cache, module="fnmatch")

    [suspect] = found(heap_of(others=(patterns(500),)), heap_of(others=(patterns(5000),))).suspects

    assert (suspect.holder, suspect.pattern) == (path("fnmatch._compile_pattern"), LeakPattern.LRU_CACHE)


def kept(*names: str) -> Branch:
    """Return a heap with a list of objects, each of a type of its own, with rows."""
    items = tuple(Branch("list item", name, 1, KIB, (Branch("Row.cells", "list", 1, 3 * KIB),)) for name in names)
    return heap_of(Branch("shop.KEPT", "list", 1, 64, items))


def test_objects_of_types_made_at_run_time_are_one_suspect() -> None:
    before, after = (
        kept(*(f"shop.Row_{number}" for number in range(first, last))) for first, last in ((0, 8), (4, 60))
    )

    [suspect] = found(before, after).suspects

    assert (suspect.type_name, suspect.holder) == ("shop.Row_…", path("shop.KEPT"))
    assert suspect.objects == Change(4, 52)


def test_types_that_both_snapshots_have_stay_apart() -> None:
    diff = found(kept("shop.Vector2", "shop.Vector3"), kept("shop.Vector2", "shop.Vector3", "shop.Vector4"))

    assert [change.type_name for change in diff.types if change.objects.growth] == ["list", "shop.Vector4"]


def test_attributes_and_modules_with_names_made_at_run_time_are_one_suspect() -> None:
    def sessions(count: int) -> Branch:
        values = tuple(Branch(f"State.session_{number:032x}", "dict", 1, KIB) for number in range(count))
        return heap_of(Branch("shop.STATE", "shop.State", 1, 64, values))

    def plugins(count: int) -> Branch:
        return Branch(
            "",
            below=(
                Branch(
                    "modules",
                    below=tuple(Branch(f"plugin_{number:040x}", "module", 1, 4 * KIB) for number in range(count)),
                ),
            ),
        )

    [of_state] = found(sessions(100), sessions(400)).suspects
    [of_modules] = found(plugins(100), plugins(400)).suspects

    assert (of_state.holder, of_state.pattern) == (path("shop.STATE"), LeakPattern.RUN_TIME_ATTRIBUTES)
    assert (of_modules.holder, of_modules.pattern) == ((SYS_MODULES,), LeakPattern.RUN_TIME_MODULES)
    assert {of_state.objects.growth, of_modules.objects.growth} == {300}
    assert suspect_text(of_modules).startswith("`sys.modules` gained 300 modules `plugin_…`, +1.2 MiB in 10 min")


def cached_lines(entries: int, files: int) -> Branch:
    """Return the lines that ``linecache`` keeps; the entries of files have a time."""
    line = Branch("tuple item", "list", entries, KIB)
    time = Branch("tuple item", "float", files, 24)
    cache = Branch("linecache.cache", "dict", 1, 64, (Branch("dict value", "tuple", entries, 88, (line, time)),))
    return heap_of(others=(globals_of(cache, module="linecache"),))


def test_lines_of_generated_code_are_a_suspect_and_those_of_files_are_not() -> None:
    assert found(cached_lines(100, 100), cached_lines(900, 110)).suspects
    assert not found(cached_lines(100, 100), cached_lines(900, 880)).suspects


def test_importers_of_more_folders_than_modules_are_a_suspect() -> None:
    def importers(folders: int, modules: int) -> Branch:
        entries = (Branch("dict key", "str", folders, 120), Branch("dict value", "FileFinder", folders, KIB))
        cache = globals_of(Branch("sys.path_importer_cache", "dict", 1, 64, entries), module="sys")
        return heap_of(others=(cache, Branch("interpreter", below=(Branch("module", "module", modules, 72),))))

    assert found(importers(20, 300), importers(220, 310)).suspects
    assert not found(importers(20, 300), importers(220, 600)).suspects


def outside(*held: Branch, functions: int = 100) -> Branch:
    return heap_of(Branch("shop.f", "function", functions, 15), others=(Branch("held from outside", below=held),))


def test_objects_that_accumulate_in_c_code_are_a_suspect() -> None:
    [suspect] = found(outside(), outside(Branch("Buffer", "lib.Buffer", 500, KIB))).suspects

    assert (suspect.type_name, suspect.holder, suspect.holding) == (
        "lib.Buffer",
        path("held from outside"),
        HoldingKind.OUTSIDE,
    )


def test_constants_of_new_functions_are_no_suspect() -> None:
    before = outside(Branch("tuple", "tuple", 1000, KIB), functions=1000)

    assert not found(before, outside(Branch("tuple", "tuple", 1500, KIB), functions=1600)).suspects


def test_constants_without_new_functions_are_a_suspect() -> None:
    before = outside(Branch("tuple", "tuple", 1000, KIB))

    assert found(before, outside(Branch("tuple", "tuple", 1500, KIB))).suspects


def garbage(objects: int) -> Branch:
    return heap_of(store(20_000), others=(Branch("garbage", below=(Branch("Node", "shop.Node", objects, KIB),)),))


def test_more_garbage_than_is_normal_is_a_suspect() -> None:
    [suspect] = found(garbage(0), garbage(15_000)).suspects

    assert (suspect.type_name, suspect.holder, suspect.holding) == ("shop.Node", path("garbage"), HoldingKind.GARBAGE)


def test_normal_garbage_is_no_suspect() -> None:
    assert not found(garbage(0), garbage(4000)).suspects


def test_two_equal_snapshots_have_no_suspect() -> None:
    assert not compare(heap(heap_of(store(100))), heap(heap_of(store(100)))).suspects


def test_empty_heaps_have_no_suspect() -> None:
    assert not compare(heap(Branch("")), heap(Branch(""))).suspects
