"""The report of two snapshots, written by a program beside a service: within the memory it is given, or not at all.

It is started as :mod:`heap_exporter.runtime.subprocesses` says.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from heap_exporter import analysis
from heap_exporter.errors import HeapExporterError
from heap_exporter.report import json_documents

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
    _write(Path(output), document)


def _without_result(before: str, problem: str) -> json_documents.Document:
    return {"problem": problem, "before": {"id": Path(before).stem}}


def _write(output: Path, document: json_documents.Document) -> None:
    part = output.with_name(f".{output.name.partition('.')[0]}.part")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(document, file)
    part.replace(output)
