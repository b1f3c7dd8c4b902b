"""The investigation of a leak by a process with children: one that it forked, and one that compares snapshots."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from heap_exporter.model import State
from tests.unit.investigation.test_leak_investigator import WINDOW, Process

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # other tests may have left threads


def test_a_forked_child_makes_no_second_alert_of_its_parents_leak(tmp_path: Path) -> None:
    parent = Process(tmp_path)
    parent.sees(State.SUSPECTED)

    assert _in_fork(lambda: _confirmed(Process(tmp_path), since=parent.now)) == 1
    parent.sees(State.CONFIRMED)
    assert len(parent.alerts) == 0  # the child has made it
    assert _in_fork(lambda: _confirmed(Process(tmp_path), since=parent.now)) == 0


def test_a_snapshot_asked_for_in_between_is_not_compared_with_the_two(tmp_path: Path) -> None:
    process = Process(tmp_path, compare=True)
    process.sees(State.SUSPECTED)
    first = process.snapshots.last
    process.snapshots.take("requested by another caller")
    process.sees(State.SUSPECTED, WINDOW / 3)
    second = process.snapshots.last
    process.snapshots.take("requested by another caller")

    assert first is not None
    assert second is not None
    compared = process.snapshots.comparisons.state(second.id)
    assert compared is not None
    assert (compared.before_id, compared.problem) == (first.id, None)


def _confirmed(process: Process, since: float) -> int:
    """Return how many alerts a process makes of a leak."""
    process.now = since
    process.sees(State.SUSPECTED)
    process.sees(State.CONFIRMED)
    return len(process.alerts)


def _in_fork(code: Callable[[], int]) -> int:
    """Return what ``code`` returns in a child."""
    pid = os.fork()
    if not pid:
        os._exit(code())
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
