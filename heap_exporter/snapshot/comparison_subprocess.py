"""Writes the report of two snapshots in a subprocess of a service, while enough memory is free.

:mod:`heap_exporter.runtime.subprocesses` starts it. A thread checks the free memory: the kernels of the analysis run
for seconds without the GIL.
"""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from heap_exporter import analysis
from heap_exporter.analysis import Diff
from heap_exporter.errors import HeapExporterError
from heap_exporter.model import ComparisonProblemKind
from heap_exporter.probes.headroom import read_headroom
from heap_exporter.probes.process import read_memory
from heap_exporter.report import html, json_documents
from heap_exporter.runtime.file_lock import LockHeld, lock_file, unlock_file
from heap_exporter.runtime.own_folder import open_folder
from heap_exporter.snapshot.comparison_memory import must_end
from heap_exporter.snapshot.file_names import COMPARISON_LOCK, page_name, report_name

ROWS = 20

TURN_SECONDS = 0.25
"""How often a comparison that began at the same time as another one tries to go on."""

CHECK_SECONDS = 0.25
"""How often the free memory is read: a service gains at most some hundred MiB in that time."""


def main(before: str, after: str, folder: str, after_id: str, *memory: str) -> None:
    """Write the report of two snapshots to a folder, as a page and as the document of ``report --json``.

    ``memory`` is what the comparison is predicted to use, and what it may use at most, in bytes. If there is no report,
    the document has the ``problem``. The document is written last: it marks the end.
    """
    result = _Result(Path(folder), Path(before).stem, after_id)
    result.wait_for_turn()
    threading.Thread(target=_end_when_short, args=(result, *map(int, memory)), daemon=True).start()
    try:
        diff = analysis.compare(analysis.open(before), analysis.open(after))
        result.report = _encoded(json_documents.report(diff, ROWS))
        result.write_page(diff)
        result.write(result.report)
    except HeapExporterError as error:
        result.write_problem(ComparisonProblemKind.FAILED, error=str(error))
    except MemoryError:
        result.write_problem(ComparisonProblemKind.OVER_MEMORY_LIMIT)


class _Result:
    """The files with the result of the comparison. The first document is written, and ends the process."""

    def __init__(self, folder: Path, before_id: str, after_id: str) -> None:
        self.report: bytes | None = None
        self._folder = folder
        self._before_id = before_id
        self._after_id = after_id
        self._turn = threading.Lock()

    def wait_for_turn(self) -> None:
        """Wait until no other comparison runs in the folder; from then on this one does, until it ends."""
        with open_folder(self._folder) as folder:
            while True:
                with suppress(LockHeld):
                    lock_file(folder, COMPARISON_LOCK)
                    return
                time.sleep(TURN_SECONDS)

    def write_page(self, diff: Diff) -> None:
        """Write the page. Raises nothing: the report is worth more than its page, and no one reads a traceback here."""
        with suppress(Exception):
            page = html.render(diff).encode("utf-8", "replace")
            with self._turn, open_folder(self._folder) as folder:
                folder.write(page_name(self._after_id), page)

    def write(self, document: bytes) -> None:
        with self._turn:
            with open_folder(self._folder) as folder:
                folder.write(report_name(self._after_id), document)
                unlock_file(folder, COMPARISON_LOCK)
            os._exit(0)  # the other thread must not write, and the deallocation of a large graph takes seconds

    def write_problem(self, kind: ComparisonProblemKind, *, available_bytes: int = 0, error: str = "") -> None:
        """Write why there is no report; if there is one and only its page is missing, write the report."""
        problem = {"kind": kind.value, "available_bytes": available_bytes, "error": error}
        self.write(self.report or _encoded({"problem": problem, "before": {"id": self._before_id}}))


def _encoded(document: json_documents.Document) -> bytes:
    return json.dumps(document).encode()


def _end_when_short(result: _Result, predicted_bytes: int, limit_bytes: int) -> None:
    """End the comparison as soon as it uses more memory than it may, or too little is free for it."""
    while True:
        used = read_memory().resident_bytes
        if used > limit_bytes:
            result.write_problem(ComparisonProblemKind.OVER_MEMORY_LIMIT)
        headroom = read_headroom()
        if headroom is not None and must_end(headroom, used, predicted_bytes):
            result.write_problem(ComparisonProblemKind.MEMORY_RAN_SHORT, available_bytes=headroom)
        time.sleep(CHECK_SECONDS)
