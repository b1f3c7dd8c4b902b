"""Arrays of numpy in a dict."""

from collections.abc import Callable

import numpy as np

FRAMES: dict[int, "np.ndarray[tuple[int], np.dtype[np.float64]]"] = {}


def main(step: Callable[[], None]) -> None:
    for number in range(24):
        FRAMES[number] = np.ones(100_000)
        step()
