"""Small programs that leak: the first suspect names the type and the holder. Healthy programs have no suspect."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from heap_exporter import analysis
from heap_exporter.analysis import Diff, Heap
from heap_exporter.report.advice_text import pattern_advice
from heap_exporter.report.finding_text import comparison_text
from heap_exporter.report.path_text import path_text

REPOSITORY = Path(__file__).parents[2]
PATIENCE_SECONDS = 120

LEAKS = {
    "audit_list": ("Entry", "{}.AUDIT", "Items are added"),
    "session_dict": ("Session", "{}.SESSIONS", "Entries are added"),
    "unbounded_cache": ("Page", "{}.CACHE → Cache.entries", "Entries are added"),
    "method_lru_cache": ("Report", "{}.Report.total", "lru_cache on a method"),
    "closure": ("Job", "{}.run_job → closure seen", "Items are added"),
    "listeners": ("Widget", "{}.BUS → Bus.listeners", "Bound methods are registered"),
    "tasks": ("Request", "{}.WAITING", "asyncio tasks wait"),
    "thread_local": ("Query", "{}.LOCAL → thread-local attribute", "Thread-local data"),
    "cycles": ("Parent", "garbage", "Only reference cycles hold these"),
    "generators": ("Row", "{}.OPEN", "A generator that was started"),
    "context_variable": ("Span", "interpreter → context → context value", "The value of a context variable"),
    "log_handlers": ("Handler", "{}.LOGGER → Logger.handlers", "Handlers are added"),
    "large_frames": ("bytearray", "{}.VIEWER → Viewer.frames", "Items are added"),
    "heavy_documents": ("Document", "{}.LIBRARY → Library.documents", "Items are added"),
    "compressors": ("LZMACompressor", "{}.UPLOADS", "Entries are added"),
    "kept_errors": ("KeyError", "{}.ERRORS", "A stored exception keeps its traceback"),
}
"""Program → type, holder, beginning of the advice."""

SAME_KIND = {"audit_list", "unbounded_cache", "closure", "compressors", "heavy_documents"}
"""Programs with the advice of another one: they run in `make test-long`."""

HEALTHY = (
    "full_cache", "requests", "sources", "tasks",
    *(pytest.param(name, marks=pytest.mark.long) for name in ("imports", "plateau")),
)  # fmt: skip  # one list

READ = {
    "{}.DEQUE → deque item",
    "{}.ORDERED → OrderedDict value",
    "{}.DEFAULTS → defaultdict value → list item",
    "{}.SET → set item",
    "{}.PAIRS → list item → Pair item",
    "{}.BOUND → list item → bound method's self",
    "{}.PARTIAL → partial argument",
    "{}.WEAK → weakref callback → bound method's self",
    "{}.LOGGER → Logger.handlers → list item → Handler.seen → list item",
    "{}.GENERATOR → generator local current",
    "{}.CLOSURE → closure cache → list item",
    "{}.ERROR → ValueError.__traceback__ → traceback frame → frame local row",
    "{}.Service.REGISTRY → dict value",
    "{}.Service.price → lru_cache entry",
    "{}.WITH_A_DICT → Service.thing",
    "{}.LOCAL → thread-local attribute → list item",
    "{}.CONTEXT → context value",
    "{}.TASKS → list item → task's coroutine → coroutine local thing",
    "event loop › scheduled callback → callback argument",
    "event loop › task main() › mine",
    "thread worker-… › work() › mine → list item",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("leaks")
    compared.cache_clear()  # a million objects that later tests of the portable walker would walk


@cache
def compared(name: str, folder: Path) -> Diff:
    """Run a program that takes two snapshots; return the changes between them."""
    return analysis.compare(*run(name, folder / f"{name}.before.heap", folder / f"{name}.after.heap"))


@pytest.fixture(scope="module")
def in_another_run(folder: Path) -> Callable[[str], list[Heap]]:
    """Return a function that returns the two snapshots of a second run of a program."""

    @cache
    def run_again(name: str) -> list[Heap]:
        return run(name, folder / f"{name}.before-again.heap", folder / f"{name}.after-again.heap")

    return run_again


def run(name: str, *paths: Path) -> list[Heap]:
    """Run a program in its own process; it takes a snapshot for each path."""
    command = [sys.executable, "-m", "tests.leaks.driver", name, *map(str, paths)]
    done = subprocess.run(
        command, check=False, cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert done.returncode == 0, done.stderr
    return [analysis.open(path) for path in paths]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long if name in SAME_KIND else ()) for name in LEAKS]
)
def test_the_first_suspect_is_the_type_and_the_holder(name: str, folder: Path) -> None:
    type_name, holder, advice = LEAKS[name]

    found = compared(name, folder)

    first = found.suspects[0]
    assert (first.type_name.rpartition(".")[2], path_text(first.holder)) == (
        type_name,
        holder.format(f"tests.leaks.{name}"),
    )
    assert pattern_advice(first.pattern).startswith(advice)
    assert first.share > 0.5
    assert first.bytes_per_minute is not None
    assert first.bytes_per_minute > 0
    assert comparison_text(found) == f"{first.type_name} accumulates in {path_text(first.holder)}"


def test_tasks_in_a_variable_of_a_coroutine_are_not_the_task_that_runs_it(folder: Path) -> None:
    first = compared("local_tasks", folder).suspects[0]

    assert first.type_name.rpartition(".")[2] == "Request"
    assert path_text(first.holder) == "event loop"
    assert path_text(first.path) == "event loop › task handle() › request"
    assert first.objects.growth == 1400


def test_advice_is_about_the_container_that_grows_not_about_what_leads_there(folder: Path) -> None:
    found = compared("on_the_way", folder)

    advice = {
        (suspect.type_name.rpartition(".")[2], path_text(suspect.holder)): pattern_advice(suspect.pattern)[:17]
        for suspect in found.suspects
    }
    assert advice == {
        ("Line", "tests.leaks.on_the_way.LOG → Logger.handlers → list item → Recent.lines"): "Items are added a",
        ("Answer", "threading._active → dict value → Poller.answers"): "Entries are added",
        ("Price", "tests.leaks.on_the_way.price → closure found"): "Entries are added",
    }


def test_types_attributes_and_modules_with_names_made_at_run_time_are_named_by_their_family(folder: Path) -> None:
    found = compared("run_time_names", folder)

    gained = {(path_text(s.path), s.type_name): (path_text(s.holder), s.objects.growth) for s in found.suspects}
    assert gained == {
        ("tests.leaks.run_time_names.RESULTS → dict value", "tests.leaks.run_time_names.Row…"): (
            "tests.leaks.run_time_names.RESULTS",
            485,
        ),
        ("tests.leaks.run_time_names.REGISTRY → Registry.open → SimpleNamespace.visitor_…", "list"): (
            "tests.leaks.run_time_names.REGISTRY → Registry.open",
            485,
        ),
        ("rules_….checks", "module"): ("sys.modules", 485),
    }
    assert [row.type_name for row in found.types if "run_time_names.Row" in row.type_name] == [
        "tests.leaks.run_time_names.Row…"
    ]


def test_caches_of_the_standard_library_that_grow_without_more_files_are_suspects(folder: Path) -> None:
    found = compared("generated_code", folder)

    assert {path_text(suspect.holder): suspect.objects.growth for suspect in found.suspects} == {
        "linecache.cache": 600,
        "sys.path_importer_cache": 600,
    }


def test_what_a_task_holds_is_at_the_same_place_while_the_loop_is_idle_and_while_the_task_runs(tmp_path: Path) -> None:
    idle, running, idle_again, running_again = run("async_moments", *(tmp_path / f"{n}.heap" for n in range(4)))

    pairs = ((idle, running), (running, idle_again), (idle, idle_again), (running, running_again))
    suspects = [analysis.compare(before, after).suspects for before, after in pairs]

    assert {len(found) for found in suspects} == {1}
    assert {(path_text(first.holder), first.fingerprint) for [first] in suspects} == {
        ("event loop › task Importer.run() › rows", suspects[0][0].fingerprint)
    }
    assert {first.objects.growth for [first] in suspects[:2]} == {2000, 2001}
    assert {pattern_advice(first.pattern).partition(":")[0] for [first] in suspects} == {
        "Entries are added and never removed"
    }


@pytest.mark.long
def test_what_a_callback_holds_is_at_the_same_place_while_it_runs_and_while_it_waits(folder: Path) -> None:
    [first] = compared("async_timer", folder).suspects

    assert (
        path_text(first.holder) == "event loop › scheduled callback → callback → bound method's self → Meter.readings"
    )
    assert (first.type_name.rpartition(".")[2], first.objects.growth) == ("Reading", 2000)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_program_has_no_suspect(name: str, folder: Path) -> None:
    found = compared(f"healthy_{name}", folder)

    assert not found.suspects
    assert comparison_text(found).startswith("no leak suspect found")


@pytest.mark.parametrize(
    ("name", "objects", "bytes_each"),
    [("large_frames", 6, 3_000_000), pytest.param("heavy_documents", 14, 0, marks=pytest.mark.long)],
)
def test_few_heavy_objects_are_counted_themselves(name: str, objects: int, bytes_each: int, folder: Path) -> None:
    first = compared(name, folder).suspects[0]

    assert first.objects.growth == objects
    assert first.total_bytes.growth >= objects * bytes_each
    assert first.share > 0.95


@pytest.mark.parametrize(
    "name", ["session_dict", *(pytest.param(name, marks=pytest.mark.long) for name in ("tasks", "method_lru_cache"))]
)
def test_another_run_has_the_same_fingerprint(
    name: str, folder: Path, in_another_run: Callable[[str], list[Heap]]
) -> None:
    again = analysis.compare(*in_another_run(name))

    assert again.suspects[0].fingerprint == compared(name, folder).suspects[0].fingerprint


def test_snapshots_of_two_processes_can_be_compared(folder: Path, in_another_run: Callable[[str], list[Heap]]) -> None:
    other_before, _ = in_another_run("session_dict")

    [first] = analysis.compare(other_before, compared("session_dict", folder).after).suspects

    assert path_text(first.holder) == "tests.leaks.session_dict.SESSIONS"


def test_reachable_objects_those_held_by_c_code_and_garbage_are_separate(folder: Path) -> None:
    found = compared("three_kinds", folder)

    kinds = {suspect.holding: suspect.type_name.rpartition(".")[2] for suspect in found.suspects}
    assert kinds == {"reachable": "Reachable", "outside": "HeldByC", "garbage": "Garbage"}
    assert [holding.kind for holding in found.after.holdings] == ["reachable", "outside", "garbage"]
    for holding in found.after.holdings[1:]:
        largest = holding.types[0]
        assert (largest.type_name.rpartition(".")[2], largest.objects) == (kinds[holding.kind], 20_000)


def test_every_way_to_refer_to_an_object_has_its_path(tmp_path: Path) -> None:
    [heap] = run("every_holder", tmp_path / "a.heap")

    found = {path_text(heap.steps(i)) for i, group in enumerate(heap.groups) if group.type_name.endswith(".Thing")}

    assert {text.format("tests.leaks.every_holder") for text in READ} <= found
