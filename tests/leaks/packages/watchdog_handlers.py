"""watchdog: the same folder is scheduled again for each job, with a new handler."""

from __future__ import annotations

import tempfile
from collections.abc import Callable

from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer

OBSERVER = Observer()


class Handler(FileSystemEventHandler):
    def __init__(self, number):
        self.seen = ["x"] * 100
        self.number = number


def main(snapshot: Callable[[], None]) -> None:
    folder = tempfile.mkdtemp()
    for number in range(2500):
        if number == 400:
            snapshot()
        OBSERVER.schedule(Handler(number), folder)
    snapshot()
