"""A viewer that keeps a few large frames: few objects, many bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Viewer:
    def __init__(self) -> None:
        self.frames: deque[bytearray] = deque()


VIEWER = Viewer()


def main(snapshot: Callable[[], None]) -> None:
    for frames in (5, 6):
        VIEWER.frames.extend(bytearray(3_000_000) for _ in range(frames))
        snapshot()
