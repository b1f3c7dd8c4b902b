"""The alerts of leaks that have not ended, which other processes can read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from heap_exporter.fleet.open_alerts import OpenAlerts
from heap_exporter.fleet.slots import FOLDER, Slot, take_slot

ALERT = {"service": "shop", "fingerprint": "f00"}


@pytest.fixture
def slot(tmp_path: Path) -> Iterator[Slot]:
    """The slot of this process, which lives."""
    found = take_slot(tmp_path, "shop", started_at=1.5)
    yield found
    found.release()


def test_an_open_alert_is_taken_by_its_process_once(slot: Slot, tmp_path: Path) -> None:
    alerts = OpenAlerts(tmp_path)
    alerts.put(slot.member, ALERT)

    assert (alerts.take(slot.member), alerts.take(slot.member)) == (ALERT, None)


def test_the_alert_of_an_ended_process_is_taken_by_one_process_of_its_service(slot: Slot, tmp_path: Path) -> None:
    alerts, ended = OpenAlerts(tmp_path), dataclasses.replace(slot.member, worker="7", pid=1)
    alerts.put(slot.member, {**ALERT, "fingerprint": "of a live process"})
    alerts.put(ended, ALERT)

    assert alerts.take_of_ended("mail") == []
    assert alerts.take_of_ended("shop") == [ALERT]
    assert OpenAlerts(tmp_path).take_of_ended("shop") == []


def test_the_process_that_takes_the_slot_of_an_ended_one_finds_the_alert_of_that(slot: Slot, tmp_path: Path) -> None:
    alerts = OpenAlerts(tmp_path)
    alerts.put(dataclasses.replace(slot.member, started_at=0.5), ALERT)

    assert alerts.take(slot.member) is None
    assert alerts.take_of_ended("shop") == [ALERT]


def test_a_damaged_file_is_removed(slot: Slot, tmp_path: Path) -> None:
    (tmp_path / FOLDER / "shop-3.alert").write_text('{"document": [')

    assert OpenAlerts(tmp_path).take_of_ended(slot.member.service) == []
    assert not (tmp_path / FOLDER / "shop-3.alert").exists()


def test_a_folder_that_is_not_there_has_no_alerts(slot: Slot, tmp_path: Path) -> None:
    alerts = OpenAlerts(tmp_path / "missing")
    alerts.put(slot.member, ALERT)

    assert alerts.take_of_ended("shop") == []
    assert alerts.take(slot.member) is None
