"""The native walker walks where it is available, the portable one elsewhere and while the native one fails."""

import logging
import os
import sys
from pathlib import Path

import pytest

import heap_exporter
from heap_exporter.errors import NativeUnavailable, SettingsError, SourceMissing, WalkCancelled, WalkFailed
from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.model import WalkerChoice
from heap_exporter.walker import fallback_walker
from heap_exporter.walker.fallback_walker import MAX_RETRY_SECONDS, MIN_RETRY_SECONDS, ChosenWalker, choose_walker
from tests.doubles.native_walkers import FakeWalker, install_native, remove_native


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def native(monkeypatch: pytest.MonkeyPatch) -> FakeWalker:
    walker = FakeWalker(cpu_seconds=0.5)
    install_native(monkeypatch, lambda: walker)
    return walker


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fail(walker: ChosenWalker, native: FakeWalker, failure: Exception, times: int = 1) -> None:
    native.failure = failure
    for _ in range(times):
        with pytest.raises(SourceMissing):
            walker.census()
    native.failure = None


def write_graph(walker: ChosenWalker, folder: Path) -> None:
    file = os.open(folder / "graph", os.O_WRONLY | os.O_CREAT)
    try:
        walker.write_graph(BlockWriter(file))
    finally:
        os.close(file)


def test_the_native_walker_walks_where_it_is_available(native: FakeWalker) -> None:
    walker = choose_walker(keys=True, timeout_seconds=7)

    assert walker.chosen == WalkerChoice("native", "best")
    assert walker.name == walker.census().walker == "native"
    assert native.options == {"keys": True, "timeout_seconds": 7}


def test_the_setting_chooses_the_walker(native: FakeWalker) -> None:
    assert choose_walker("native").chosen == WalkerChoice("native", "setting")
    assert choose_walker("portable").chosen == WalkerChoice("portable", "setting")
    assert choose_walker("portable").census().walker == "portable"
    assert native.walk_count == 0


def test_without_the_extension_the_portable_walker_walks_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    remove_native(monkeypatch)

    walker = choose_walker()

    assert (walker.chosen.name, walker.chosen.reason) == ("portable", "no_extension")
    assert "cannot be loaded" in walker.chosen.detail
    assert walker.census().walker == "portable"


def test_a_missing_extension_is_logged_once_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fallback_walker, "_logged_reasons", set())
    monkeypatch.setitem(sys.modules, "heap_exporter._native", None)
    monkeypatch.delattr(heap_exporter, "_native", raising=False)

    choose_walker(), choose_walker()

    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "does not count str, int and bytes objects" in record.getMessage()
    assert "installed without its C extension; to get it, install a wheel" in record.getMessage()


class FailingImports:
    """Makes the import of the C extension fail."""

    def __init__(self, error: ImportError) -> None:
        self.error = error

    def find_spec(self, name: str, *_: object) -> None:
        if name == "heap_exporter._native":
            raise self.error


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (
            ImportError("module heap_exporter._native does not support loading in subinterpreters"),
            "subinterpreter",
            "an interpreter with a GIL of its own cannot load the C extension of the native walker",
        ),
        (
            ImportError("libc.musl-x86_64.so.1: cannot open", path="/app/heap_exporter/_native.so"),
            "no_extension",
            "the C extension of the native walker cannot be loaded: libc.musl-x86_64.so.1: cannot open",
        ),
    ],
)
def test_an_extension_that_is_there_and_cannot_be_imported_gives_its_own_reason(
    error: ImportError, reason: str, detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "heap_exporter._native", raising=False)
    monkeypatch.delattr(heap_exporter, "_native", raising=False)
    monkeypatch.setattr(sys, "meta_path", [FailingImports(error), *sys.meta_path])

    assert choose_walker().chosen == WalkerChoice("portable", reason, detail)


@pytest.mark.parametrize("reason", ["no_extension", "platform", "free_threaded", "subinterpreter", "layout"])
def test_a_native_walker_that_cannot_be_used_gives_the_reason(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    def refuse() -> FakeWalker:
        raise NativeUnavailable(reason, "it is so")

    install_native(monkeypatch, refuse)

    assert choose_walker().chosen == WalkerChoice("portable", reason, "it is so")
    with pytest.raises(SettingsError, match="HEAP_EXPORTER_WALKER='native': it is so; set it to auto or portable"):
        choose_walker("native")


def test_an_extension_that_fails_to_load_does_not_stop_the_application(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def explode() -> FakeWalker:
        raise AttributeError("symbol not found")

    install_native(monkeypatch, explode)

    choice = choose_walker().chosen

    assert choice == WalkerChoice(
        "portable", "no_extension", "the C extension of the native walker cannot be loaded: symbol not found"
    )


def test_a_failed_walk_is_an_error_and_is_counted(native: FakeWalker) -> None:
    walker = choose_walker()

    fail(walker, native, WalkFailed("killed", "by signal 9"))
    fail(walker, native, WalkFailed("hung", "for 120 s"), times=1)

    assert {cause: count for cause, count in walker.failures.items() if count} == {"killed": 1, "hung": 1}
    assert walker.chosen == WalkerChoice("native", "best")


def test_after_three_successive_failures_the_portable_walker_walks_with_a_reason(
    native: FakeWalker, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    walker = choose_walker(clock=clock)

    with caplog.at_level(logging.WARNING, "heap_exporter"):
        fail(walker, native, WalkFailed("crashed", "by signal 11"), times=3)

    assert (walker.name, walker.chosen.reason) == ("portable", "failing")
    assert (
        "the native walker failed 3 times in a row; the last failure was: the heap walk failed (crashed)"
        in walker.chosen.detail
    )
    assert walker.chosen.detail in caplog.text
    assert walker.census().walker == "portable"
    assert native.walk_count == 3


def test_failures_with_a_success_between_them_are_not_successive(native: FakeWalker) -> None:
    walker = choose_walker()

    for _ in range(5):
        fail(walker, native, WalkFailed("killed", ""), times=2)
        walker.census()

    assert walker.chosen == WalkerChoice("native", "best")
    assert walker.failures["killed"] == 10


def test_a_walk_in_this_process_does_not_reset_the_failures_of_clones(native: FakeWalker) -> None:
    walker = choose_walker()
    native.in_process = True

    for _ in range(3):
        walker.census()
        fail(walker, native, WalkFailed("refused", ""))

    assert walker.chosen.reason == "failing"


@pytest.mark.parametrize("failure", [WalkFailed("no_disk", ""), WalkCancelled(""), SourceMissing("")])
def test_a_full_disk_or_a_cancelled_walk_is_no_failure_of_the_walker(native: FakeWalker, failure: Exception) -> None:
    walker = choose_walker()

    fail(walker, native, failure, times=5)

    assert walker.name == "native"


def test_a_successful_retry_ends_the_fallback(native: FakeWalker, clock: Clock) -> None:
    walker = choose_walker(clock=clock)
    fail(walker, native, WalkFailed("killed", ""), times=3)

    clock.now += MIN_RETRY_SECONDS - 1
    assert walker.census().walker == "portable"
    clock.now += 1
    assert walker.census().walker == "native"

    assert walker.chosen == WalkerChoice("native", "best")
    fail(walker, native, WalkFailed("killed", ""), times=2)
    assert walker.name == "native"


def test_each_failed_retry_delays_the_next_one_longer(native: FakeWalker, clock: Clock) -> None:
    walker = choose_walker(clock=clock)
    fail(walker, native, WalkFailed("killed", ""), times=3)

    waits = []
    for _ in range(8):
        began = clock.now
        while walker.name == "portable":
            clock.now += MIN_RETRY_SECONDS
        waits.append(clock.now - began)
        assert walker.chosen.reason == "failing"
        fail(walker, native, WalkFailed("killed", ""))

    assert waits[:4] == [600, 1200, 2400, 4800]
    assert waits[-1] == MAX_RETRY_SECONDS


def test_graphs_fail_and_recover_as_censuses_do(native: FakeWalker, clock: Clock, tmp_path: Path) -> None:
    walker = choose_walker(clock=clock)
    native.failure = WalkFailed("damaged", "")
    for _ in range(3):
        with pytest.raises(WalkFailed):
            write_graph(walker, tmp_path)
    assert walker.name == "portable"

    native.failure, clock.now = None, clock.now + MIN_RETRY_SECONDS
    write_graph(walker, tmp_path)

    assert walker.chosen == WalkerChoice("native", "best")


@pytest.mark.parametrize(
    ("failure", "cause"),
    [(MemoryError(), "no_memory"), (ZeroDivisionError("by zero"), "damaged"), (OSError(), "damaged")],
)
def test_every_exception_of_the_native_walker_is_a_failed_walk(
    native: FakeWalker, failure: Exception, cause: str
) -> None:
    walker = choose_walker()
    native.failure = failure

    with pytest.raises(WalkFailed) as caught:
        walker.census()

    assert caught.value.cause == cause
    assert walker.failures[cause] == 1


def test_the_processor_time_of_clones_is_summed(native: FakeWalker, tmp_path: Path) -> None:
    walker = choose_walker()

    walker.census()
    write_graph(walker, tmp_path)
    fail(walker, native, WalkFailed("hung", "", cpu_seconds=2.0))
    native.in_process = True
    walker.census()

    assert walker.clone_cpu_seconds == 0.5 + 0.5 + 2.0
