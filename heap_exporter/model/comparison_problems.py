"""Why two snapshots were not compared."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from heap_exporter.runtime.short_repr import short_repr


class ComparisonProblemKind(StrEnum):
    """Why two snapshots were not compared. Each member lists the values of a :class:`ComparisonProblem` of its kind."""

    KILLED = "killed"
    """The subprocess was killed or could not write its report; no values."""

    NOT_STARTED = "not-started"
    """``error``: the text of the exception."""

    EXPORTER_STOPPED = "exporter-stopped"
    HAD_NO_PRIORITY = "had-no-priority"
    REPLACED = "replaced"
    """By newer snapshots in the queue; no values, like the two kinds before."""

    TOO_LITTLE_MEMORY = "too-little-memory"
    """``needed_bytes``, and the ``available_bytes`` of which a comparison may need half."""

    OVER_MEMORY_LIMIT = "over-memory-limit"
    """The subprocess reached the limit of its memory; no values."""

    MEMORY_RAN_SHORT = "memory-ran-short"
    """``available_bytes`` when the subprocess stopped."""

    FAILED = "failed"
    """``error``: the text of the exception, or what an older release recorded."""


@dataclass(frozen=True, slots=True)
class ComparisonProblem:
    """Why two snapshots were not compared: its kind, their files, and the values that the kind lists.

    ``heap_exporter.report.comparison_problem_text`` makes text of it.
    """

    kind: ComparisonProblemKind
    before: Path
    after: Path
    needed_bytes: int = 0
    available_bytes: int = 0
    error: str = ""

    __repr__ = short_repr
