"""What is in the folder of a fleet besides good pages costs one warning, and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from heap_exporter.fleet.fleet_pages import LEFTOVER_SECONDS, FleetPages
from heap_exporter.fleet.member_page import MAX_PAGE_BYTES, encode_page
from heap_exporter.fleet.slots import FOLDER, Slot, take_slot
from tests.examples.fleets import fleet_member


@pytest.fixture
def slot(tmp_path: Path) -> Slot:
    return take_slot(tmp_path, "shop")


def page_of_this_process(**members: object) -> bytes:
    page = fleet_member(0).page
    assert page is not None
    return json.dumps({**json.loads(encode_page(page)), "pid": os.getpid(), **members}).encode()


def read(folder: Path) -> list[bool]:
    """Return whether each member has a page."""
    pages = FleetPages(folder, {"python_heap_resident_bytes": 0})
    return [each.page is not None for each in pages.read()]


@pytest.mark.usefixtures("slot")
def test_a_page_is_read_again_once_it_is_replaced(tmp_path: Path) -> None:
    path, pages = tmp_path / FOLDER / "shop-0.page", FleetPages(tmp_path, {"python_heap_resident_bytes": 0})
    found = []
    for number in (5, 6):
        path.write_bytes(page_of_this_process(values={"python_heap_resident_bytes": [[number]]}))
        found += [each.page.value("python_heap_resident_bytes") for each in pages.read() if each.page]

    assert found == [5, 6]


def _is_too_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 * MAX_PAGE_BYTES)


def _is_a_link(path: Path) -> None:
    other = path.with_name("elsewhere")
    other.write_bytes(page_of_this_process())
    path.symlink_to(other)


@pytest.mark.usefixtures("slot")
@pytest.mark.parametrize(
    "make",
    [
        _is_too_large,
        _is_a_link,
        os.mkfifo,
        os.mkdir,
        lambda path: path.write_bytes(b"{"),
        lambda path: path.write_bytes(page_of_this_process(format=99)),
        lambda path: path.write_bytes(page_of_this_process(pid=os.getpid() + 1)),
    ],
    ids=["10 MiB", "a link", "a pipe", "a folder", "half a page", "another format", "an earlier process"],
)
def test_what_is_not_a_page_of_the_process_is_not_shown(make: Callable[[Path], object], tmp_path: Path) -> None:
    make(tmp_path / FOLDER / "shop-0.page")

    assert read(tmp_path) == [False]


def test_the_files_of_an_ended_process_are_removed_after_a_while(tmp_path: Path, slot: Slot) -> None:
    page, socket = tmp_path / FOLDER / "shop-0.page", tmp_path / FOLDER / "shop-0.sock"
    for path in (page, socket):
        path.write_bytes(page_of_this_process())
    assert read(tmp_path) == [True]
    slot.release()
    assert read(tmp_path) == []
    assert page.exists()

    old = page.stat().st_mtime - LEFTOVER_SECONDS - 1
    os.utime(page, (old, old))
    assert read(tmp_path) == []

    assert not page.exists()
    assert not socket.exists()


def test_a_folder_that_is_not_there_has_no_processes(tmp_path: Path) -> None:
    assert read(tmp_path / "missing") == []
