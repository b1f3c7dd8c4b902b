"""The budget of automatic snapshots: how many in a day, and how often for one leak."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heap_exporter.runtime.quantities import DAY_SECONDS
from heap_exporter.snapshot import budget
from heap_exporter.snapshot.budget import Budget, Moment
from heap_exporter.snapshot.file_names import BUDGET_FILE
from heap_exporter.snapshot.store import Store

HOUR = 3600.0


class Clock:
    """A clock that the test sets: ``wall`` is the time of day, ``uptime`` counts from the boot."""

    def __init__(self) -> None:
        self.wall, self.uptime, self.boot = 1.7e9, 5000.0, "first"

    def __call__(self) -> Moment:
        return Moment(self.wall, self.uptime, self.boot)

    def pass_seconds(self, seconds: float) -> None:
        self.wall += seconds
        self.uptime += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(folder: Path, clock: Clock, a_day: int = 12, cooldown_seconds: float = HOUR) -> Budget:
    return Budget(Store(folder, 20), cooldown_seconds, a_day, clock)


def reason(refusal: budget.Refusal | None) -> str:
    assert refusal is not None
    return refusal.reason


def test_a_leak_has_one_snapshot_in_a_cooldown_and_another_leak_has_its_own(tmp_path: Path, clock: Clock) -> None:
    one = made(tmp_path, clock)
    assert one.request("a") is None
    clock.pass_seconds(720)

    assert reason(one.request("a")) == "the cooldown of this leak started 12 min ago and ends in 48 min"
    assert one.request("b") is None
    clock.pass_seconds(HOUR - 720)
    assert one.request("a") is None


def test_a_cooldown_also_holds_after_a_restart_and_in_other_workers(tmp_path: Path, clock: Clock) -> None:
    made(tmp_path, clock).request("a")

    refusal = made(tmp_path, clock).request("a")

    assert refusal is not None
    assert refusal.outcome == "cooldown"


def test_the_budget_of_a_day_counts_pairs_and_names_the_time_of_the_next(tmp_path: Path, clock: Clock) -> None:
    one = made(tmp_path, clock, a_day=4)
    assert one.request("a", snapshots=2) is None
    clock.pass_seconds(4 * HOUR)
    assert one.request("b", snapshots=2) is None

    refusal = one.request("c", snapshots=2)

    assert refusal is not None
    assert refusal.outcome == "over_budget"
    assert refusal.reason == (
        "HEAP_EXPORTER_SNAPSHOTS_A_DAY allows 4 automatic snapshots in 24 h; 2 more would exceed this limit; "
        "the next snapshot is allowed in 20 h"
    )
    assert one.request("alert only", snapshots=0) is None
    clock.pass_seconds(20 * HOUR)
    assert one.request("c", snapshots=2) is None
    assert reason(one.request("d", snapshots=1)).startswith("HEAP_EXPORTER_SNAPSHOTS_A_DAY allows 4")


def test_a_budget_of_zero_grants_nothing(tmp_path: Path, clock: Clock) -> None:
    assert reason(made(tmp_path, clock, a_day=0).request("a")).startswith("HEAP_EXPORTER_SNAPSHOTS_A_DAY allows 0")


def test_another_fingerprint_has_the_cooldown_of_the_first(tmp_path: Path, clock: Clock) -> None:
    one = made(tmp_path, clock, a_day=1)
    one.request("shape")
    one.start_cooldown("0123456789ab")

    assert reason(made(tmp_path, clock).request("0123456789ab")).startswith("the cooldown of this leak started")


@pytest.mark.parametrize("jump", [-10 * 365 * DAY_SECONDS, -60.0, 10 * 365 * DAY_SECONDS])
def test_a_changed_wall_clock_does_not_count_while_the_machine_runs(tmp_path: Path, clock: Clock, jump: float) -> None:
    one = made(tmp_path, clock)
    one.request("a")
    clock.wall += jump
    clock.pass_seconds(HOUR - 1)

    assert one.request("a") is not None
    clock.pass_seconds(1)
    assert one.request("a") is None


def test_grants_with_fingerprints_of_an_earlier_release_count_for_the_day_and_block_no_new_fingerprint(
    tmp_path: Path, clock: Clock
) -> None:
    made(tmp_path, clock, a_day=2).request("alert e3ad4a746dba")

    later = made(tmp_path, clock, a_day=2)

    assert later.request("alert e76b26af349e") is None
    refusal = later.request("alert 0123456789ab")
    assert refusal is not None
    assert refusal.outcome == "over_budget"


def test_a_clock_set_back_at_a_reboot_costs_one_cooldown_and_no_more(tmp_path: Path, clock: Clock) -> None:
    made(tmp_path, clock).request("a")
    clock.wall, clock.uptime, clock.boot = clock.wall - 10 * 365 * DAY_SECONDS, 5.0, "second"
    one = made(tmp_path, clock)

    assert one.request("a") is not None
    clock.pass_seconds(HOUR - 1)
    assert one.request("a") is not None
    clock.pass_seconds(1)
    assert one.request("a") is None


@pytest.mark.parametrize(
    "damage",
    [
        b"\x00" * 100, b"{", b"[]", b"null", b'{"granted": 3}', b'{"granted": [{}]}', b"[" * 100_000, b"\xff\xfe",
        b'{"granted": [{"fingerprint": "a", "snapshots": -1, "at": 0, "uptime_seconds": 0, "boot": ""}]}',
        b'{"granted": [{"fingerprint": "a", "snapshots": 1, "at": NaN, "uptime_seconds": 0, "boot": ""}]}',
    ],
)  # fmt: skip  # one a kind
def test_a_damaged_file_starts_one_cooldown_of_every_leak_and_is_replaced(
    tmp_path: Path, clock: Clock, damage: bytes
) -> None:
    (tmp_path / BUDGET_FILE).write_bytes(damage)
    one = made(tmp_path, clock)

    assert "budget.json was found damaged 0.0 ms ago; the cooldown ends in 60 min" in reason(one.request("a"))
    assert "granted" in json.loads((tmp_path / BUDGET_FILE).read_bytes())
    clock.pass_seconds(HOUR)
    assert one.request("a") is None


def test_without_a_writable_folder_no_snapshot_is_granted_and_each_process_alerts_once(
    tmp_path: Path, clock: Clock
) -> None:
    (tmp_path / "file").touch()
    one = made(tmp_path / "file" / "folder", clock)

    assert reason(one.request("a")).startswith("the snapshot cannot be counted against the daily limit: ")
    assert one.request("a", snapshots=0) is None
    assert one.request("a", snapshots=0) is not None
    one.start_cooldown("b")
    assert one.request("b", snapshots=0) is not None


def test_a_folder_in_the_place_of_the_file_is_a_refusal(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / BUDGET_FILE).mkdir()

    assert "it is not a regular file" in reason(made(tmp_path, clock).request("a"))
