"""A bounded cache that fills: no leak, but its growth until it is full is one of Python objects."""

import functools
from collections.abc import Callable


@functools.lru_cache(maxsize=1_000_000)
def price(number: int) -> str:
    return f"the price of {number}"


def main(step: Callable[[], None]) -> None:
    for number in range(24):
        for index in range(5000):
            price(number * 5000 + index)
        step()
