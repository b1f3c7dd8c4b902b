"""Writes the report of two snapshots in a subprocess of a service, within a memory limit.

:mod:`heap_exporter.runtime.subprocesses` starts it.
"""

from __future__ import annotations

import json
from pathlib import Path

from heap_exporter import analysis
from heap_exporter.errors import HeapExporterError
from heap_exporter.report import json_documents
from heap_exporter.runtime.atomic_file import write_file
from heap_exporter.runtime.formatting import size

ROWS = 20


def main(before: str, after: str, output: str, memory_bytes: str) -> None:
    """Write the ``report --json`` document of two snapshots to ``output``, or a document with the ``problem``."""
    try:
        found = analysis.compare(analysis.open(before), analysis.open(after))
        document = json_documents.report(found, ROWS)
    except HeapExporterError as error:
        document = _without_result(before, str(error))
    except MemoryError:
        document = _without_result(
            before, f"the comparison needs more than its memory limit of {size(int(memory_bytes))}"
        )
    write_file(Path(output), json.dumps(document).encode())


def _without_result(before: str, problem: str) -> json_documents.Document:
    return {"problem": problem, "before": {"id": Path(before).stem}}
