"""prometheus_client: a label with the id of the user; each value makes a child that stays."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Histogram

REGISTRY = CollectorRegistry()
LATENCY = Histogram("request_seconds", "Latency.", ["user"], registry=REGISTRY)


def main(snapshot: Callable[[], None]) -> None:
    for number in range(3000):
        if number == 500:
            snapshot()
        LATENCY.labels(f"user-{number}").observe(0.1)
    snapshot()
