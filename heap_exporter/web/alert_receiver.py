"""Receives alerts from Alertmanager, and decides which process takes a snapshot for each: ``POST /-/alertmanager``.

The format of the message: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from heap_exporter.fleet.fleet_pages import FleetMember
from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.runtime.json_input import parse_json
from heap_exporter.runtime.logs import log
from heap_exporter.snapshot.budget import Budget
from heap_exporter.web.auth import is_loopback
from heap_exporter.web.problem import Problem

OWN_ALERTS = "PythonHeap"
"""The names of this package's alerts begin with it: with these, the process decides itself about snapshots."""

MAX_ALERTS = 1000
MAX_NAME_CHARS = 100


class AlertOutcome(StrEnum):
    """What became of an alert: a snapshot was ordered, or why not."""

    ORDERED = "ordered"
    RESOLVED = "resolved"
    OWN = "own"
    UNKNOWN_PROCESS = "unknown_process"
    COOLDOWN = "cooldown"
    OVER_BUDGET = "over_budget"


@dataclass(frozen=True, slots=True)
class ReceivedAlert:
    """One alert of a message; ``started_at`` is when it began to fire, in Unix seconds, ``None`` if unknown."""

    labels: Mapping[str, str]
    is_firing: bool
    fingerprint: str
    started_at: float | None

    @property
    def reason(self) -> str:
        """Return the reason of the snapshot that is taken for the alert."""
        return f"alert {self.labels.get('alertname', '')[:MAX_NAME_CHARS]} fingerprint {self.fingerprint}"


class AlertReceiver:
    """Chooses the process that takes a snapshot for an alert, within the budget of the snapshot folder.

    ``counts`` receives the number of alerts by outcome.
    """

    def __init__(self, budget: Budget, counts: dict[str, int]) -> None:
        self._counts = counts
        counts.update(dict.fromkeys(AlertOutcome, 0))
        self._budget = budget
        self._lock = threading.Lock()

    def choose(
        self, alerts: Sequence[ReceivedAlert], found: Sequence[FleetMember], host: str
    ) -> Sequence[tuple[FleetMember, ReceivedAlert]]:
        """Return the processes that must take a snapshot, each with its alert; ``host`` is that of the request."""
        chosen = []
        for alert in alerts:
            each = named_process(alert, found, host)
            outcome = self._outcome(alert, each)
            with self._lock:
                self._counts[outcome] += 1
            if each is not None and outcome is AlertOutcome.ORDERED:
                chosen.append((each, alert))
        return chosen

    def _outcome(self, alert: ReceivedAlert, each: FleetMember | None) -> AlertOutcome:
        if not alert.is_firing:
            return AlertOutcome.RESOLVED
        if alert.labels.get("alertname", "").startswith(OWN_ALERTS):
            return AlertOutcome.OWN
        if each is None:
            log.info("no snapshot is taken for an alert: no live process here is the one of its labels")
            return AlertOutcome.UNKNOWN_PROCESS
        refusal = self._budget.request(f"alertmanager {alert.fingerprint}")
        if refusal is None:
            return AlertOutcome.ORDERED
        log.info("no snapshot is taken for the %s: %s", alert.reason, refusal.reason)
        return AlertOutcome(refusal.outcome)


def named_process(alert: ReceivedAlert, found: Sequence[FleetMember], host: str) -> FleetMember | None:
    """Return the process that the labels of an alert name; ``None`` if there is none, or if it is another one now.

    A process that started after the alert is not the one that the alert is about, though it has the pid or the number.
    """
    labels = alert.labels
    if not ("worker" in labels or "pid" in labels) or not _is_of_this_host(labels.get("instance", ""), host):
        return None
    matching = [
        each
        for each in found
        if labels.get("service", each.member.service) == each.member.service
        and labels.get("worker", each.member.worker) == each.member.worker
        and labels.get("pid", str(each.member.pid)) == str(each.member.pid)
    ]
    if len(matching) != 1:
        return None
    started_at = matching[0].member.started_at
    if started_at is not None and alert.started_at is not None and started_at > alert.started_at:
        return None
    return matching[0]


def _is_of_this_host(instance: str, host: str) -> bool:
    """Return whether the label ``instance`` is this machine, by the ``Host`` of the request; "" may be any."""
    name, asked = _without_port(instance), _without_port(host)
    return name in ("", asked, os.uname().nodename) or (is_loopback(name) and is_loopback(asked))


def _without_port(address: str) -> str:
    name, _, port = address.rpartition(":")
    return (name if name and port.isdecimal() else address).strip("[]")


def parse_alerts(body: bytes) -> Sequence[ReceivedAlert]:
    """Return the alerts in a message of Alertmanager. Raises :class:`Problem` if it is none."""
    try:
        return [_parse(each) for each in parse_json(body)["alerts"][:MAX_ALERTS]]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        detail = "the body is not a message of Alertmanager's webhook: JSON with a list of alerts"
        raise Problem(HTTPStatus.BAD_REQUEST, detail) from error


def _parse(alert: Any) -> ReceivedAlert:
    """Return one alert of a message. Raises what :func:`parse_alerts` expects."""
    labels = {str(name): str(value) for name, value in alert["labels"].items()}
    return ReceivedAlert(
        labels,
        alert["status"] == "firing",
        str(alert.get("fingerprint") or "-".join(filter(None, map(labels.get, ("alertname", "worker", "pid")))))[:64],
        _seconds(alert.get("startsAt")),
    )


def _seconds(text: object) -> float | None:
    """Return a time in RFC 3339 as Unix seconds, ``None`` if it has another form."""
    with late_imports():
        from datetime import datetime  # only an alert needs it

    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except (ValueError, OverflowError):
        return None
