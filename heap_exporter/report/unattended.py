"""The report of two snapshots, written by a program beside a service: gently, within a limit, or not at all.

``python -c "…; main(before, after, output, memory_bytes)"``: see :mod:`heap_exporter.snapshot.comparison`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from heap_exporter import analysis
from heap_exporter.errors import HeapExporterError
from heap_exporter.report import documents

LONGEST_CPU_SECONDS = 300
ROWS = 20
NICENESS = 19


def main(before: str, after: str, output: str, memory_bytes: int) -> None:
    """Write the document of ``report`` of two snapshots to ``output``, or one with the ``problem`` that it has met."""
    _stand_back(memory_bytes)
    try:
        found = analysis.compare(analysis.open(before), analysis.open(after))
        document = documents.report(found, ROWS)
    except HeapExporterError as error:
        document = _without_result(before, str(error))
    except MemoryError:
        document = _without_result(before, f"it needs more than the {memory_bytes:,} bytes that it was given")
    _write(Path(output), document)


def _without_result(before: str, problem: str) -> documents.Document:
    return {"problem": problem, "before": {"id": Path(before).stem}}


def _stand_back(memory_bytes: int) -> None:
    """Let everybody else go first, end in time, and let the kernel take this process first when memory ends."""
    os.nice(NICENESS)
    if sys.platform == "linux":
        Path("/proc/self/oom_score_adj").write_text("1000")
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (LONGEST_CPU_SECONDS, LONGEST_CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _write(output: Path, document: documents.Document) -> None:
    part = output.with_name(f".{output.name.partition('.')[0]}.part")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(document, file)
    part.replace(output)
