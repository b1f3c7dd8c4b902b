"""Objects in a list, in a service that calls gc.collect() between requests."""

import gc
from collections.abc import Callable

PAIRS: list[list[int]] = []


def main(step: Callable[[], None]) -> None:
    gc.disable()
    for number in range(24):
        PAIRS.extend([number, index] for index in range(5000))
        gc.collect()
        step()
