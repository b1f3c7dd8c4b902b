"""Which process takes a snapshot for an alert of Alertmanager."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from heap_exporter.alerting import AlertThresholds, render_rules
from heap_exporter.notify.formats import ALERT_NAME
from heap_exporter.snapshot.budget import Budget
from heap_exporter.snapshot.store import Store
from heap_exporter.web.alert_receiver import OWN_ALERTS, AlertReceiver, parse_alerts
from heap_exporter.web.problem import Problem
from tests.examples.fleets import fleet_member

HOST = "127.0.0.1:9465"
FOUND = [fleet_member(0), fleet_member(1), fleet_member(1, "mail")]
"""Processes that started at NOW - 60; their pids are 100 and 101, and 101 again in another container."""

LABELS = {"alertname": "ShopIsSlow", "service": "shop", "worker": "1", "instance": "localhost:9465"}
AFTER_THE_START, BEFORE_THE_START = "2026-09-21T14:13:00Z", "2026-09-21T12:00:00+00:00"


def message(
    labels: Mapping[str, str], status: str = "firing", started_at: str = AFTER_THE_START, fingerprint: str = "f00"
) -> bytes:
    alert = {"status": status, "labels": labels, "startsAt": started_at, "fingerprint": fingerprint}
    return json.dumps({"version": "4", "alerts": [alert]}).encode()


@pytest.fixture
def receiver(tmp_path: Path) -> AlertReceiver:
    return AlertReceiver(Budget(Store(tmp_path, 20, 1 << 30, 0), 3600.0, 2), {})


def chosen(receiver: AlertReceiver, body: bytes, host: str = HOST) -> list[tuple[str, str]]:
    return [(each.id, alert.reason) for each, alert in receiver.choose(parse_alerts(body), FOUND, host)]


def test_the_process_that_a_firing_alert_names_takes_one_snapshot_however_often_it_is_repeated(
    receiver: AlertReceiver, tmp_path: Path
) -> None:
    first = chosen(receiver, message(LABELS))
    repeated = chosen(receiver, message(LABELS))
    in_another_process = chosen(AlertReceiver(Budget(Store(tmp_path, 20, 1 << 30, 0), 3600.0, 2), {}), message(LABELS))

    assert first == [("shop-1", "alert ShopIsSlow fingerprint f00")]
    assert repeated == in_another_process == []


@pytest.mark.parametrize(
    ("labels", "outcome"),
    [
        ({"pid": "100"}, ["shop-0"]),
        ({"worker": "0"}, ["shop-0"]),
        ({"worker": "1"}, []),  # two services have one
        ({"pid": "101", "service": "mail"}, ["mail-1"]),
        ({"pid": "101"}, []),  # two containers have one
        ({"pid": "100", "worker": "1"}, []),
        ({"worker": "7"}, []),
        ({"service": "shop"}, []),
        ({"worker": "0", "instance": "127.0.0.1:9465"}, ["shop-0"]),
        ({"worker": "0", "instance": "10.0.0.7:9465"}, []),
    ],
)
def test_the_labels_name_one_live_process_of_this_machine_or_none(
    labels: dict[str, str], outcome: list[str], receiver: AlertReceiver
) -> None:
    assert [name for name, _ in chosen(receiver, message(labels))] == outcome


def test_a_process_that_started_after_the_alert_is_another_one(receiver: AlertReceiver) -> None:
    assert chosen(receiver, message(LABELS, started_at=BEFORE_THE_START)) == []


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (message(LABELS, status="resolved"), "resolved"),
        (message({**LABELS, "alertname": ALERT_NAME}), "own"),
        (message({**LABELS, "worker": "9"}), "unknown_process"),
    ],
)
def test_other_alerts_are_counted_and_take_no_snapshot(body: bytes, outcome: str) -> None:
    counts: dict[str, int] = {}
    receiver = AlertReceiver(Budget(Store(Path("/nowhere"), 20, 1 << 30, 0), 3600.0, 2), counts)

    assert chosen(receiver, body) == []
    assert {name for name, count in counts.items() if count} == {outcome}


def test_the_budget_of_the_day_counts(receiver: AlertReceiver) -> None:
    taken = [bool(chosen(receiver, message(LABELS, fingerprint=each))) for each in ("a", "b", "c")]

    assert taken == [True, True, False]


def test_every_alert_of_this_package_has_a_name_of_its_own() -> None:
    rules = render_rules(AlertThresholds.read({}), "heap-exporter rules")
    names = [line.rpartition(" ")[2] for line in rules.splitlines() if "alert:" in line]

    assert names
    assert all(name.startswith(OWN_ALERTS) for name in (ALERT_NAME, *names))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"alerts": [1]}', b'{"alerts": [{"labels": [], "status": "firing"}]}', b"\xff"]
)
def test_a_body_that_is_no_message_of_alertmanager_is_refused(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        parse_alerts(body)

    assert refused.value.status is HTTPStatus.BAD_REQUEST


def test_a_message_may_lack_what_older_releases_do_not_send() -> None:
    alert: Any = {"status": "firing", "labels": {"alertname": "ShopIsSlow", "worker": "1"}}
    (parsed,) = parse_alerts(json.dumps({"alerts": [alert]}).encode())

    assert (parsed.fingerprint, parsed.started_at) == ("ShopIsSlow-1", None)
    assert parsed.is_firing
