"""The report of two snapshots, written by a program beside a service: within the memory it is given, or not at all.

It is started as :mod:`heap_exporter.runtime.subprocesses` says.
"""

from __future__ import annotations

import json
from pathlib import Path

from heap_exporter import analysis
from heap_exporter.errors import HeapExporterError
from heap_exporter.report import json_documents
from heap_exporter.runtime.atomic_file import write_file

ROWS = 20


def main(before: str, after: str, output: str, memory_bytes: str) -> None:
    """Write the document of ``report`` of two snapshots to ``output``, or one with the ``problem`` that it has met."""
    try:
        found = analysis.compare(analysis.open(before), analysis.open(after))
        document = json_documents.report(found, ROWS)
    except HeapExporterError as error:
        document = _without_result(before, str(error))
    except MemoryError:
        document = _without_result(before, f"it needs more than the {int(memory_bytes):,} bytes that it was given")
    write_file(Path(output), json.dumps(document).encode())


def _without_result(before: str, problem: str) -> json_documents.Document:
    return {"problem": problem, "before": {"id": Path(before).stem}}
