"""The exporter under leaks, alerts, snapshots and webhooks over and over; for half a minute (``make soak``: longer)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.bench.soak import KEEP, MAX_FILES, QUOTA_BYTES, Soaked, soak
from tests.processes.programs import slowdown

SPEED = 300.0

PATIENCE_SECONDS = 240.0

MAX_THREADS = 16
"""The service's and the exporter's own, those that answer requests, and those of posts that hang."""

MAX_DESCRIPTORS = 40


@pytest.mark.parametrize("alerts", [1, pytest.param(4, marks=pytest.mark.long)])
def test_alerts_over_and_over_leave_nothing_behind(alerts: int, tmp_path: Path) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS

    def is_over(services: list[Soaked]) -> bool:
        done = services[-1].done
        has_sent = done["webhooks sent"] + done["webhooks failed"] >= 1  # after its alert
        return (done["alerts"] >= alerts and has_sent) or time.monotonic() > give_up_at

    services, _ = soak(is_over, SPEED / slowdown(), tmp_path, calm_windows=2)

    for service in services:
        assert service.problems() == []
        assert service.peaks["threads"] <= MAX_THREADS
        assert service.peaks["descriptors"] <= MAX_DESCRIPTORS
        assert service.peaks["children"] <= 2
        assert service.peaks["snapshots"] <= KEEP + 1
        assert service.peaks["snapshot bytes"] <= QUOTA_BYTES
        assert service.peaks["files"] <= MAX_FILES
        assert service.done["snapshots written"] >= 2
        assert service.done["errors"] == 0

    one_run, many_restarts = services

    assert one_run.done["alerts"] >= 1  # on a busy machine the run is longer than the cooldown of the alert
    assert many_restarts.done["alerts"] >= alerts
    assert many_restarts.done["webhooks sent"] + many_restarts.done["webhooks failed"] >= 1
