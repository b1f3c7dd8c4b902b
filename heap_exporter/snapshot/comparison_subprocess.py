"""Writes the report of two snapshots in a subprocess of a service, while enough memory is free.

:mod:`heap_exporter.runtime.subprocesses` starts it. A thread checks the free memory: the kernels of the analysis run
for seconds without the GIL.
"""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

from heap_exporter import analysis
from heap_exporter.errors import HeapExporterError
from heap_exporter.model import ComparisonProblem, ComparisonProblemKind
from heap_exporter.probes.headroom import read_headroom
from heap_exporter.probes.process import read_memory
from heap_exporter.report import json_documents
from heap_exporter.report.comparison_problem_text import comparison_problem_text
from heap_exporter.runtime.own_folder import open_folder
from heap_exporter.snapshot.comparison_memory import must_end

ROWS = 20

CHECK_SECONDS = 0.25
"""How often the free memory is read: a service gains at most some hundred MiB in that time."""


def main(before: str, after: str, folder: str, name: str, predicted_bytes: str) -> None:
    """Write the ``report --json`` document of two snapshots to a file of a folder, or one with the ``problem``."""
    result = _Result(Path(before), Path(after), Path(folder), name)
    threading.Thread(target=_end_when_short, args=(result, int(predicted_bytes)), daemon=True).start()
    try:
        found = analysis.compare(analysis.open(before), analysis.open(after))
        result.write(json_documents.report(found, ROWS))
    except HeapExporterError as error:
        result.write_problem(ComparisonProblemKind.FAILED, error=str(error))
    except MemoryError:
        result.write_problem(ComparisonProblemKind.OVER_MEMORY_LIMIT)


class _Result:
    """The file with the result of the comparison. The first result is written, and ends the process."""

    def __init__(self, before: Path, after: Path, folder: Path, name: str) -> None:
        self._before = before
        self._after = after
        self._folder = folder
        self._name = name
        self._turn = threading.Lock()

    def write(self, document: json_documents.Document) -> None:
        data = json.dumps(document).encode()
        with self._turn:
            with open_folder(self._folder) as folder:
                folder.write(self._name, data)
            os._exit(0)  # the other thread must not write, and the deallocation of a large graph takes seconds

    def write_problem(self, kind: ComparisonProblemKind, *, available_bytes: int = 0, error: str = "") -> None:
        problem = ComparisonProblem(kind, self._before, self._after, available_bytes=available_bytes, error=error)
        self.write({"problem": comparison_problem_text(problem), "before": {"id": self._before.stem}})


def _end_when_short(result: _Result, predicted_bytes: int) -> None:
    """End the comparison as soon as too little memory is free for it."""
    while True:
        time.sleep(CHECK_SECONDS)
        headroom = read_headroom()
        if headroom is not None and must_end(headroom, read_memory().resident_bytes, predicted_bytes):
            result.write_problem(ComparisonProblemKind.MEMORY_RAN_SHORT, available_bytes=headroom)
