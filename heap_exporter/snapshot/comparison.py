"""Compares each snapshot with the one before it in a subprocess; one comparison at a time in a folder.

Nothing runs in the application's interpreter: see :mod:`heap_exporter.runtime.subprocesses`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from heap_exporter.model import ComparisonProblem, ComparisonProblemKind, SnapshotInfo
from heap_exporter.runtime import subprocesses
from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.runtime.json_input import parse_json
from heap_exporter.runtime.logs import log
from heap_exporter.snapshot import comparison_memory
from heap_exporter.snapshot.file_names import snapshot_name
from heap_exporter.snapshot.store import Store

MAX_CPU_SECONDS = 300
"""Ten million objects take 13 seconds."""

SPARE_ADDRESS_BYTES = 128 * 1024**2
"""Address space beyond the memory that a comparison may use, for libraries, stacks and what malloc reserves.

The subprocess ends by itself at its limit. If small allocations failed, CPython 3.11 could raise ``MemoryError``
without end instead.
"""

MAX_KEPT = 64
"""Comparisons whose state is kept in memory; that of older ones is read from their reports."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The state of the comparison of two snapshots.

    Once it is written, ``report`` is the document of ``report --json``, and ``has_page`` is whether the folder has the
    same as an HTML page.
    """

    state: Literal["running", "written", "failed"]
    before_id: str
    after_id: str
    report: dict[str, Any] | None = None
    problem: ComparisonProblem | None = None
    has_page: bool = False


@dataclass(frozen=True, slots=True)
class _Started:
    before: SnapshotInfo
    after: SnapshotInfo
    kind: ComparisonProblemKind = ComparisonProblemKind.KILLED
    needed_bytes: int = 0
    available_bytes: int = 0
    error: str = ""

    @property
    def problem(self) -> ComparisonProblem:
        """Return why there is no report of this comparison, once it is neither waiting nor running."""
        return ComparisonProblem(
            self.kind, self.before.path, self.after.path, self.needed_bytes, self.available_bytes, self.error
        )


class _Running(NamedTuple):
    id: str
    program: subprocesses.Program


class Comparisons:
    """Compares snapshots if ``is_enabled`` and if they need at most half of ``headroom()``, the bytes that are free.

    The reports are in the folder of ``store``. This class starts no thread: its owner calls :meth:`poll` from time to
    time.
    """

    def __init__(self, headroom: Callable[[], int | None], store: Store, *, is_enabled: bool) -> None:
        self._is_enabled = is_enabled
        self._headroom = headroom
        self._store = store
        self._lock = threading.Lock()
        self._started: dict[str, _Started] = {}
        self._running: _Running | None = None
        self._waiting: tuple[SnapshotInfo, SnapshotInfo] | None = None
        self._waiting_has_priority = False

    def begin(self, before: SnapshotInfo, after: SnapshotInfo, *, has_priority: bool = False) -> None:
        """Queue the comparison of two snapshots in the folder; one without priority never replaces one with it."""
        if not self._is_enabled or {before.content, after.content} != {"graph"}:
            return
        with self._lock:
            if self._waiting is not None and self._waiting_has_priority and not has_priority:
                self._give_up(_Started(before, after, ComparisonProblemKind.HAD_NO_PRIORITY))
                return
            if self._waiting is not None:
                self._give_up(_Started(*self._waiting, ComparisonProblemKind.REPLACED))
            self._waiting, self._waiting_has_priority = (before, after), has_priority
            self._remember(_Started(before, after))
            self._advance()

    def poll(self) -> None:
        """Note the end of the subprocess that compares two snapshots, and start the one for the waiting pair."""
        with self._lock:
            self._advance()

    def give_up(self) -> None:
        """Cancel the waiting comparison, and leave no subprocess for which this process must wait."""
        with self._lock:
            if self._waiting is not None:
                (before, after), self._waiting = self._waiting, None
                self._remember(_Started(before, after, ComparisonProblemKind.EXPORTER_STOPPED))
            if self._running is not None:
                self._running.program.give_up()

    def _advance(self) -> None:
        if self._running is not None and not self._running.program.has_ended():
            return
        self._running = None
        if self._waiting is None or self._store.is_comparing():
            return
        (before, after), self._waiting = self._waiting, None
        needed, headroom = comparison_memory.predicted_bytes(max(before.objects, after.objects)), self._headroom()
        if headroom is not None and not comparison_memory.may_start(headroom, needed):
            self._give_up(_Started(before, after, ComparisonProblemKind.TOO_LITTLE_MEMORY, needed, headroom))
            return
        command = self._command(before, after, needed, comparison_memory.limit_bytes(headroom, needed))
        try:
            program = subprocesses.start(command, lambda: self._store.has_report(after.id))
        except OSError as error:
            reason = error.strerror or str(error)
            self._give_up(_Started(before, after, ComparisonProblemKind.NOT_STARTED, error=reason))
            return
        self._running = _Running(after.id, program)

    def _give_up(self, started: _Started) -> None:
        with late_imports():
            from heap_exporter.report.comparison_problem_text import comparison_problem_text

        problem = comparison_problem_text(started.problem)
        log.warning("snapshot %s was not compared with %s: %s", started.after.id, started.before.id, problem)
        self._remember(started)

    def _remember(self, started: _Started) -> None:
        self._started[started.after.id] = started
        while len(self._started) > MAX_KEPT:
            del self._started[next(iter(self._started))]

    def _is_under_way(self, id: str) -> bool:
        running, waiting = self._running, self._waiting
        return (running is not None and running.id == id) or (waiting is not None and waiting[1].id == id)

    def state(self, id: str) -> Comparison | None:
        """Return the state of the comparison of a taken snapshot with the one before, ``None`` if there is none."""
        with self._lock:
            self._advance()
            started, is_under_way = self._started.get(id), self._is_under_way(id)
        if started is not None and is_under_way:
            return Comparison("running", started.before.id, id)
        report = self._read(id)
        if report is not None:
            before_id = started.before.id if started else (report.get("before") or {}).get("id", "")
            if "problem" in report:
                return Comparison("failed", before_id, id, problem=self._problem(report["problem"], before_id, id))
            return Comparison("written", before_id, id, report, has_page=self._store.has_page(id))
        if started is None:
            return None
        return Comparison("failed", started.before.id, id, problem=started.problem)

    def _problem(self, recorded: Any, before_id: str, after_id: str) -> ComparisonProblem:
        """Return the problem that the subprocess has recorded; an older release recorded it as text."""
        before, after = (self._store.directory / name for name in map(snapshot_name, (before_id, after_id)))
        try:
            return ComparisonProblem(
                ComparisonProblemKind(recorded["kind"]),
                before,
                after,
                available_bytes=int(recorded["available_bytes"]),
                error=str(recorded["error"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            return ComparisonProblem(ComparisonProblemKind.FAILED, before, after, error=str(recorded))

    def _command(self, before: SnapshotInfo, after: SnapshotInfo, needed: int, limit: int) -> Sequence[str]:
        paths = map(os.path.abspath, (before.path, after.path, self._store.directory))
        return subprocesses.command(
            "heap_exporter.snapshot.comparison_subprocess",
            [*paths, after.id, str(needed), str(limit)],
            memory_bytes=limit + SPARE_ADDRESS_BYTES,
            cpu_seconds=MAX_CPU_SECONDS,
        )

    def _read(self, id: str) -> dict[str, Any] | None:
        with suppress(ValueError):
            document = parse_json(self._store.read_report(id) or b"null")
            return document if isinstance(document, dict) else None
        return None
