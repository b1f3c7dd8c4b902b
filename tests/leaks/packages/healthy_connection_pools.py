"""urllib3: pools of many hosts; the manager keeps ten."""

from __future__ import annotations

from collections.abc import Callable

import urllib3

MANAGER = urllib3.PoolManager(num_pools=10)


def main(snapshot: Callable[[], None]) -> None:
    for number in range(3000):
        if number == 1000:
            snapshot()
        MANAGER.connection_from_host(f"host-{number % 200}.example")
    snapshot()
