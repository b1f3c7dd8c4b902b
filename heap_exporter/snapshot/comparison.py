"""Has each snapshot compared with the one before it, by a program of its own beside the service; one at a time.

Nothing of it runs in the application's interpreter: see :mod:`heap_exporter.runtime.subprocesses`.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from heap_exporter.model import SnapshotInfo
from heap_exporter.runtime import subprocesses
from heap_exporter.runtime.logs import log

LONGEST_CPU_SECONDS = 300
MEMORY_BASE_BYTES = 64 * 1024 * 1024
MEMORY_BYTES_PER_OBJECT = 80
MEMORY_BYTES_PER_PATH = 600
MAX_PATHS = 400_000
"""What the program may map. An object, its references and what is reckoned of them take about 65 bytes. Each may have a
path of its own, of which both snapshots are kept; but there are so many only where much of a heap is code.
"""

MAX_REMEMBERED = 64
"""Comparisons of which it is known what became of them; those that were written are told from their reports."""

LONGEST_REPORT_BYTES = 4 * 1024 * 1024

WAS_ENDED = "the program that compared them was ended, or could not write; `heap-exporter report` does it elsewhere"
WAS_STOPPED = "the exporter was stopped before; `heap-exporter report` does it elsewhere"
WAS_LATE = "those of a suspected leak were waiting to be compared; `heap-exporter report` does it elsewhere"
WAS_OVERTAKEN = "newer snapshots came while others were being compared; `heap-exporter report` does it elsewhere"


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far a comparison has come; ``report`` is the document of ``report --json`` once written."""

    state: Literal["running", "written", "failed"]
    before_id: str
    report: dict[str, Any] | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Begun:
    before_id: str
    problem: str = ""


class _Running(NamedTuple):
    id: str
    program: subprocesses.Program


class Comparisons:
    """Compares snapshots of at most ``max_objects`` objects (0: none), where ``headroom()`` has the bytes for it.

    ``report_path(id)`` is where the report of a snapshot and the one before it is kept. Starts no thread: who has one
    calls :meth:`tend` now and then.
    """

    def __init__(
        self, max_objects: int, headroom: Callable[[], int | None], report_path: Callable[[str], Path]
    ) -> None:
        self._max_objects = max_objects
        self._headroom = headroom
        self._report_path = report_path
        self._lock = threading.Lock()
        self._begun: dict[str, _Begun] = {}
        self._running: _Running | None = None
        self._waiting: tuple[SnapshotInfo, SnapshotInfo] | None = None
        self._waiting_has_priority = False

    def begin(self, before: SnapshotInfo, after: SnapshotInfo, *, has_priority: bool = False) -> None:
        """Have two snapshots compared; no others overtake evidence. Raises nothing: :meth:`state` tells how it goes."""
        if self._max_objects == 0 or {before.content, after.content} != {"graph"}:
            return
        with self._lock:
            if self._waiting is not None and self._waiting_has_priority and not has_priority:
                self._give_up(before, after, WAS_LATE)
                return
            if self._waiting is not None:
                self._give_up(*self._waiting, WAS_OVERTAKEN)
            self._waiting, self._waiting_has_priority = (before, after), has_priority
            self._remember(after.id, _Begun(before.id))
            self._go_on()

    def poll(self) -> None:
        """Take notice of a comparison that has ended, and begin the one that waits."""
        with self._lock:
            self._go_on()

    def give_up(self) -> None:
        """Begin no more, and leave no program that this process must wait for: nobody calls :meth:`tend` any longer."""
        with self._lock:
            if self._waiting is not None:
                (before, after), self._waiting = self._waiting, None
                self._remember(after.id, _Begun(before.id, WAS_STOPPED))
            if self._running is not None:
                self._running.program.give_up()

    def _go_on(self) -> None:
        if self._running is not None and not self._running.program.has_ended():
            return
        self._running = None
        if self._waiting is None:
            return
        (before, after), self._waiting = self._waiting, None
        problem = self._shortage(before, after)
        if problem:
            self._give_up(before, after, problem)
            return
        try:
            program = subprocesses.start(self._command(before, after), self._report_path(after.id).exists)
        except OSError as error:
            self._give_up(before, after, f"no program could be started for it: {error.strerror or error}")
            return
        self._running = _Running(after.id, program)

    def _give_up(self, before: SnapshotInfo, after: SnapshotInfo, problem: str) -> None:
        log.warning("snapshot %s was not compared with %s: %s", after.id, before.id, problem)
        self._remember(after.id, _Begun(before.id, problem))

    def _remember(self, id: str, begun: _Begun) -> None:
        self._begun[id] = begun
        while len(self._begun) > MAX_REMEMBERED:
            del self._begun[next(iter(self._begun))]

    def _is_under_way(self, id: str) -> bool:
        running, waiting = self._running, self._waiting
        return (running is not None and running.id == id) or (waiting is not None and waiting[1].id == id)

    def state(self, id: str) -> Comparison | None:
        """Return how far the comparison of a snapshot with the one before has come, ``None`` if there is none."""
        with self._lock:
            self._go_on()
            begun, is_under_way = self._begun.get(id), self._is_under_way(id)
        if begun is not None and is_under_way:
            return Comparison("running", begun.before_id)
        report = self._read(id)
        if report is not None:
            problem = str(report.get("problem", ""))
            before_id = begun.before_id if begun else (report.get("before") or {}).get("id", "")
            return Comparison("failed" if problem else "written", before_id, None if problem else report, problem)
        if begun is None:
            return None
        return Comparison("failed", begun.before_id, problem=begun.problem or WAS_ENDED)

    def _shortage(self, before: SnapshotInfo, after: SnapshotInfo) -> str:
        objects, headroom = max(before.objects, after.objects), self._headroom()
        if objects > self._max_objects:
            return (
                f"{objects:,} objects are more than the {self._max_objects:,} that are compared beside a service; "
                f"`heap-exporter report` does it elsewhere, or set HEAP_EXPORTER_COMPARE_MAX_OBJECTS"
            )
        if headroom is not None and headroom < _memory_bytes(objects):
            return f"it may take {_memory_bytes(objects):,} bytes, {headroom:,} are left under the memory limit"
        return ""

    def _command(self, before: SnapshotInfo, after: SnapshotInfo) -> Sequence[str]:
        memory = _memory_bytes(max(before.objects, after.objects))
        files = map(os.path.abspath, (before.path, after.path, self._report_path(after.id)))
        return subprocesses.command(
            "heap_exporter.report.unattended",
            [*files, str(memory)],
            memory_bytes=memory,
            cpu_seconds=LONGEST_CPU_SECONDS,
        )

    def _read(self, id: str) -> dict[str, Any] | None:
        with suppress(OSError, ValueError):
            with self._report_path(id).open("rb") as file:
                document = json.loads(file.read(LONGEST_REPORT_BYTES))
            return document if isinstance(document, dict) else None
        return None


def _memory_bytes(objects: int) -> int:
    paths = min(objects, MAX_PATHS)
    return MEMORY_BASE_BYTES + MEMORY_BYTES_PER_OBJECT * objects + MEMORY_BYTES_PER_PATH * paths
