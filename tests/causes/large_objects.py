"""Python objects over 512 bytes, which are in malloc and not in pymalloc."""

import os
from collections.abc import Callable

PAGES: list[bytes] = []


def main(step: Callable[[], None]) -> None:
    for _ in range(24):
        PAGES.extend(os.urandom(1000) for _ in range(1000))
        step()
