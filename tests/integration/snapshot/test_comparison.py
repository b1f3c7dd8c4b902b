"""A subprocess compares each snapshot with the one before it."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from heap_exporter.model import ComparisonProblem, ComparisonProblemKind
from heap_exporter.report.comparison_problem_text import comparison_problem_text
from heap_exporter.runtime import subprocesses
from heap_exporter.snapshot import comparison_memory
from heap_exporter.snapshot.comparison import Comparison
from heap_exporter.snapshot.file_names import report_name
from heap_exporter.snapshot.service import Snapshots
from heap_exporter.snapshot.store import Store
from tests.doubles.web_source import PausedWalker
from tests.processes.programs import environment

REPOSITORY = Path(__file__).parents[3]

PATIENCE_SECONDS = 600.0
"""The subprocess has the lowest priority: on a busy machine it may take minutes."""


LEAKS = """
import json, sys, time
from pathlib import Path
from heap_exporter.snapshot import comparison_memory
from heap_exporter.snapshot.service import Snapshots
from heap_exporter.snapshot.store import Store
from tests.heaps.walks import chosen

class Session:
    def __init__(self): self.cart = [object() for _ in range(5)]

if limit := int(sys.argv[1]):
    comparison_memory.limit_bytes = lambda *_: limit
SESSIONS = {}
snapshots = Snapshots(chosen("native"), Store(Path("snapshots"), 20), lambda: None, compare=True)
first = snapshots.take("before").id
SESSIONS.update((number, Session()) for number in range(3000))
second = snapshots.take("after").id
while (found := snapshots.comparisons.state(second)).state == "running":
    time.sleep(0.05)
assert snapshots.last_comparison() == found
problem = found.problem and [found.problem.kind, found.problem.error]
print(json.dumps([first, found.state, found.before_id, found.report, problem]))
"""


class Ended:
    """A subprocess that has ended."""

    def has_ended(self) -> bool:
        return True

    def give_up(self) -> None:
        pass


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Snapshots]:
    """Return a factory of snapshots of a very small heap."""

    def make(headroom: int | None = None, keep: int = 20, *, compare: bool = True) -> Snapshots:
        headrooms = [None, None, headroom]
        return Snapshots(
            PausedWalker(),
            Store(tmp_path, keep),
            lambda: headrooms.pop(0) if headrooms else headroom,
            compare=compare,
        )

    return make


def pair(snapshots: Snapshots) -> str:
    """Take two snapshots; return the id of the second."""
    snapshots.take("before")
    return snapshots.take("after").id


def patiently(fact: Callable[[], bool]) -> None:
    """Wait until a condition is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not fact():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def ended(snapshots: Snapshots, id: str) -> Comparison:
    """Return the comparison once it is no longer running."""

    def has_ended() -> bool:
        found = snapshots.comparisons.state(id)
        return found is not None and found.state != "running"

    patiently(has_ended)
    found = snapshots.comparisons.state(id)
    assert found
    return found


def compared(folder: Path, limit_bytes: int = 0) -> Any:
    """Return what a process printed that leaks, and compares its snapshots with that limit of memory."""
    command = [sys.executable, "-c", LEAKS, str(limit_bytes)]
    environ = environment(folder, PYTHONPATH=str(REPOSITORY))
    return json.loads(subprocess.check_output(command, cwd=folder, env=environ, text=True, timeout=PATIENCE_SECONDS))


def test_the_report_names_what_grew_and_what_holds_it(tmp_path: Path) -> None:
    first, state, before_id, report, problem = compared(tmp_path)

    assert (state, problem) == ("written", None)
    suspect = report["suspects"][0]
    assert (suspect["holder"], suspect["type_name"]) == ("__main__.SESSIONS", "__main__.Session")
    assert suspect["objects"]["growth"] == 3000
    assert before_id == report["before"]["id"] == first


def test_the_first_snapshot_has_no_comparison(make: Callable[..., Snapshots]) -> None:
    snapshots = make()

    assert snapshots.comparisons.state(snapshots.take("first").id) is None
    assert snapshots.last_comparison() is None


def test_the_report_stays_after_the_process_and_is_removed_with_its_snapshot(
    make: Callable[..., Snapshots], tmp_path: Path
) -> None:
    snapshots = make(keep=2)
    second = pair(snapshots)
    written = ended(snapshots, second)

    assert make().comparisons.state(second) == written
    snapshots.comparisons._is_enabled = False
    snapshots.take("third")
    snapshots.take("fourth")
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".heap"]


def test_nothing_is_compared_if_the_setting_is_off(make: Callable[..., Snapshots]) -> None:
    snapshots = make(compare=False)

    assert snapshots.comparisons.state(pair(snapshots)) is None


def test_a_comparison_that_needs_over_half_of_the_free_memory_names_the_command_for_another_machine(
    make: Callable[..., Snapshots],
) -> None:
    snapshots = make(headroom=100 << 20)
    first, second = snapshots.take("before"), snapshots.take("after")
    found = ended(snapshots, second.id)

    assert found.state == "failed"
    assert found.problem == ComparisonProblem(
        ComparisonProblemKind.TOO_LITTLE_MEMORY,
        first.path,
        second.path,
        needed_bytes=comparison_memory.predicted_bytes(second.objects),
        available_bytes=100 << 20,
    )
    assert "may need 64.0 MiB" in comparison_problem_text(found.problem)
    assert f"run `heap-exporter report {first.path} {second.path}`" in comparison_problem_text(found.problem)


def test_the_number_of_objects_is_no_limit_where_the_memory_suffices(
    make: Callable[..., Snapshots], monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = make(headroom=20 << 30)
    started: list[Sequence[str]] = []
    taken = dataclasses.replace(snapshots.take("one"), objects=100_000_000)

    def start(command: Sequence[str], _is_done: Callable[[], bool]) -> Ended:
        started.append(command)
        return Ended()

    monkeypatch.setattr(subprocesses, "start", start)
    snapshots.comparisons.begin(taken, taken)

    assert len(started) == 1


def test_a_comparison_that_needs_too_much_memory_fails_with_a_reason(tmp_path: Path) -> None:
    _, state, _, _, (kind, _) = compared(tmp_path, limit_bytes=1 << 20)

    assert (state, kind) == ("failed", ComparisonProblemKind.OVER_MEMORY_LIMIT)


def test_a_damaged_snapshot_is_named(make: Callable[..., Snapshots]) -> None:
    snapshots = make()
    first = snapshots.take("before")
    first.path.write_bytes(first.path.read_bytes()[:-20])
    found = ended(snapshots, snapshots.take("after").id)

    assert found.state == "failed"
    assert found.problem is not None
    assert found.problem.kind is ComparisonProblemKind.FAILED
    assert str(first.path) in found.problem.error


def test_the_subprocess_has_none_of_the_applications_environment(
    make: Callable[..., Snapshots], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[bytes, ...]] = []
    from heap_exporter import _native

    spawn = _native.spawn

    def watched(argv: tuple[bytes, ...], environment: tuple[bytes, ...]) -> int:
        started.append(environment)
        return spawn(argv, environment)

    monkeypatch.setattr(_native, "spawn", watched)
    monkeypatch.setenv("DATABASE_PASSWORD", "s3cr3t")
    snapshots = make()
    ended(snapshots, pair(snapshots))

    assert {one.partition(b"=")[0].decode() for one in started[0]} <= set(subprocesses.KEPT_VARIABLES)


def test_without_the_extension_the_subprocess_is_a_child_and_is_reaped(
    make: Callable[..., Snapshots], monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = make()
    first, second = snapshots.take("before"), snapshots.take("after")
    monkeypatch.setitem(sys.modules, "heap_exporter._native", None)
    monkeypatch.delattr("heap_exporter._native")
    before = children()
    snapshots.comparisons.begin(first, second)

    assert ended(snapshots, second.id).state == "written"
    assert children() <= before


def test_one_comparison_runs_at_a_time_and_the_newest_runs_last(make: Callable[..., Snapshots]) -> None:
    snapshots = make()
    ids = [snapshots.take(f"number {number}").id for number in range(6)]
    commands = [_read(path) for path in Path("/proc").glob("[0-9]*/cmdline")]
    # One that has written its report is done, though it may need a moment to end.
    reports = {report_name(each) for each in ids if not snapshots.store.has_report(each)}
    at_work = [report for report in reports for command in commands if os.fsencode(report) in command]
    found = [ended(snapshots, each) for each in ids[1:]]

    assert len(at_work) <= 1
    assert found[-1].state == "written"
    assert {one.problem.kind for one in found if one.problem} <= {ComparisonProblemKind.REPLACED}


def test_a_subprocess_is_reaped_where_this_process_adopts_orphans(make: Callable[..., Snapshots]) -> None:
    import ctypes

    subreaper = 36  # PR_SET_CHILD_SUBREAPER of prctl(2), as the first process of a container is
    assert ctypes.CDLL(None).prctl(subreaper, 1, 0, 0, 0) == 0
    try:
        snapshots, before = make(), children()
        ended(snapshots, pair(snapshots))

        def are_reaped() -> bool:
            snapshots.comparisons.poll()
            return children() <= before

        patiently(are_reaped)
    finally:
        ctypes.CDLL(None).prctl(subreaper, 0, 0, 0, 0)


def children() -> set[str]:
    """Return the pids of this process's children, ended ones among them; other tests may have left some."""
    return {pid.decode() for path in Path("/proc/self/task").glob("*/children") for pid in _read(path).split()}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the process, or the thread, has ended
        return b""


def test_a_subprocess_that_has_been_reaped_is_not_reaped_again(
    make: Callable[..., Snapshots], monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = make()
    second = pair(snapshots)
    ended(snapshots, second)
    waited: list[int] = []  # by now the pid may be that of a child of the application
    monkeypatch.setattr(os, "waitpid", lambda pid, _options: waited.append(pid))

    found = snapshots.comparisons.state(second)

    assert found is not None
    assert found.state == "written"
    assert waited == []


def test_no_subprocess_and_no_descriptor_is_left(make: Callable[..., Snapshots]) -> None:
    gc.collect()  # what other tests have left open is closed now
    before = set(os.listdir("/proc/self/fd"))
    snapshots = make()
    ended(snapshots, pair(snapshots))

    assert len(os.listdir("/proc/self/fd")) <= len(before)
