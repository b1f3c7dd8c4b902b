"""The slots of one process: their numbers, their files, and what other files in the folder cannot do."""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heap_exporter.fleet import slots
from heap_exporter.fleet.slots import FOLDER, MAX_SLOTS, WITHOUT_NUMBER, WITHOUT_SLOT, Slot, members, take_slot
from heap_exporter.model.members import Member, Role
from heap_exporter.runtime import lock_probe


@pytest.fixture
def taken(tmp_path: Path) -> Iterator[list[Slot]]:
    found: list[Slot] = []
    yield found
    for slot in found:
        slot.release()


def test_a_slot_has_the_lowest_free_number_of_its_service(tmp_path: Path, taken: list[Slot]) -> None:
    taken += [take_slot(tmp_path, service) for service in ("shop", "shop", "bank", "shop")]
    assert [slot.name for slot in taken] == ["shop-0", "shop-1", "bank-0", "shop-2"]

    taken[1].release()
    taken.append(take_slot(tmp_path, "shop"))

    assert taken[-1].member.worker == "1"
    assert [(each.service, each.worker) for each in members(tmp_path)] == [
        ("bank", "0"), ("shop", "0"), ("shop", "1"), ("shop", "2")
    ]  # fmt: skip  # one reading


def test_the_file_of_a_slot_names_its_process_and_is_removed_with_the_slot(tmp_path: Path, taken: list[Slot]) -> None:
    taken.append(take_slot(tmp_path, "shop", started_at=1.5))
    path = tmp_path / FOLDER / "shop-0.lock"

    document = json.loads(path.read_text())
    assert (document["pid"], document["ancestors"][0], document["started_at"]) == (os.getpid(), os.getppid(), 1.5)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    taken[0].release()
    assert not path.exists()


def test_a_folder_that_cannot_be_used_costs_one_line_of_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.INFO):
        slot = take_slot(tmp_path / "file", "shop")

    assert (slot.name, slot.member.worker) == (None, WITHOUT_SLOT)
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert "cannot be used for several processes" in caplog.text


def test_a_process_too_many_has_no_number(
    tmp_path: Path, taken: list[Slot], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(slots, "MAX_SLOTS", 2)
    taken += [take_slot(tmp_path, "shop") for _ in range(3)]

    assert MAX_SLOTS == 256
    assert [slot.member.worker for slot in taken] == ["0", "1", WITHOUT_NUMBER]
    assert "has 2 processes already" in caplog.text


def test_the_file_of_an_ended_process_and_other_files_are_not_members(tmp_path: Path, taken: list[Slot]) -> None:
    taken.append(take_slot(tmp_path, "shop"))
    folder = tmp_path / FOLDER
    (folder / "shop-1.lock").write_text((folder / "shop-0.lock").read_text())
    (folder / "hub.lock").write_text("")
    (folder / "shop-2.lock").symlink_to(folder / "shop-0.lock")
    os.mkfifo(folder / "shop-3.lock")

    assert members(tmp_path) == [taken[0].member]


def test_a_lock_of_another_release_is_left_out_with_one_warning(
    tmp_path: Path, taken: list[Slot], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken.append(take_slot(tmp_path, "shop"))
    file = tmp_path / FOLDER / "shop-0.lock"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 99}))
    monkeypatch.setattr(lock_probe, "lock_holder", lambda _: 4711)  # a lock of this process is not seen by itself
    monkeypatch.setattr(slots, "_held", {})

    assert [members(tmp_path) for _ in range(2)] == [[], []]
    assert caplog.text.count("another release wrote this file, in format 99") == 1


def test_a_link_in_place_of_a_lock_is_not_followed(tmp_path: Path, taken: list[Slot]) -> None:
    (tmp_path / FOLDER).mkdir(mode=0o700)
    target = tmp_path / "precious"
    target.write_text("data")
    (tmp_path / FOLDER / "shop-0.lock").symlink_to(target)

    taken.append(take_slot(tmp_path, "shop"))

    assert taken[0].name is None
    assert target.read_text() == "data"


@given(st.lists(st.text(min_size=1), min_size=2, max_size=2, unique=True))
def test_services_that_differ_have_file_names_that_differ(services: list[str]) -> None:
    first, second = map(slots.file_name, services)

    assert first != second
    assert not set("/.\0 ") & set(first)
    assert len(first) <= slots.MAX_NAME_CHARS


def test_long_names_that_differ_at_their_end_have_file_names_that_differ() -> None:
    assert slots.file_name("x" * 90 + "a") != slots.file_name("x" * 90 + "b")


@pytest.mark.parametrize(
    ("pid", "ancestors", "role"),
    [(10, (1,), Role.PARENT), (11, (10, 1), Role.CHILD), (12, (5, 10, 1), Role.CHILD), (30, (1,), Role.SINGLE)],
)
def test_a_member_is_the_parent_or_the_child_of_another_member(
    pid: int, ancestors: tuple[int, ...], role: Role
) -> None:
    fleet = [_member(10, 1), _member(11, 10, 1), _member(30, 1), _member(99, 30, host="other")]
    assert _member(pid, *ancestors).role_among(fleet) is role


def test_a_process_is_the_parent_of_one_that_another_program_started_for_it() -> None:
    assert _member(10, 1).role_among([_member(12, 5, 10, 1)]) is Role.PARENT


def _member(pid: int, *ancestors: int, host: str = "web-1") -> Member:
    return Member("shop", str(pid), pid, ancestors, 0.0, "boot", host, "3.11.7", "gunicorn", 1000)
