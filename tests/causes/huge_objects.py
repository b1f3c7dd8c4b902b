"""A few large Python objects: malloc maps each of them separately."""

from collections.abc import Callable

BODIES: list[bytearray] = []


def main(step: Callable[[], None]) -> None:
    for _ in range(24):
        BODIES.append(bytearray(b"x" * (1 << 20)))
        step()
