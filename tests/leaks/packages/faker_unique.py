"""Faker: `unique` remembers all values that it ever returned."""

from __future__ import annotations

from collections.abc import Callable

from faker import Faker

FAKE = Faker()


def main(snapshot: Callable[[], None]) -> None:
    for number in range(20000):
        if number == 4000:
            snapshot()
        FAKE.unique.uuid4()
    snapshot()
