"""APScheduler: a job for each order, a year ahead: the memory job store keeps them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler

SCHEDULER = BackgroundScheduler(timezone=UTC)


def remind(order):
    pass


def main(snapshot: Callable[[], None]) -> None:
    SCHEDULER.start()
    for number in range(1500):
        if number == 300:
            snapshot()
        SCHEDULER.add_job(remind, "date", run_date=datetime.now(UTC) + timedelta(days=365), args=[{"id": number}])
    snapshot()
    SCHEDULER.shutdown()
