"""Small Python objects in a list."""

from collections.abc import Callable

PAIRS: list[tuple[int, str]] = []


def main(step: Callable[[], None]) -> None:
    for number in range(24):
        PAIRS.extend((number, f"visitor {index}") for index in range(10_000))
        step()
