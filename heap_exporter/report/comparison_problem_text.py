"""Why two snapshots were not compared, and how to compare them, as text. Names stand between `backticks`."""

from __future__ import annotations

import shlex

from heap_exporter.model import ComparisonProblem, ComparisonProblemKind
from heap_exporter.report.path_text import code
from heap_exporter.runtime.formatting import size

_TEXTS = {
    ComparisonProblemKind.KILLED: "the subprocess that compared the snapshots was killed or could not write its report",
    ComparisonProblemKind.NOT_STARTED: "the subprocess for the comparison cannot be started: {error}",
    ComparisonProblemKind.EXPORTER_STOPPED: "the exporter was stopped before the comparison",
    ComparisonProblemKind.HAD_NO_PRIORITY: "the snapshots of a suspected leak have priority",
    ComparisonProblemKind.REPLACED: "newer snapshots replaced them in the queue",
    ComparisonProblemKind.TOO_LITTLE_MEMORY: (
        "the comparison may need {needed} of memory, more than half of the {available} that is available"
    ),
    ComparisonProblemKind.OVER_MEMORY_LIMIT: "the comparison needs more memory than it may use",
    ComparisonProblemKind.MEMORY_RAN_SHORT: "the comparison was stopped because only {available} of memory was left",
}


def comparison_problem_text(problem: ComparisonProblem | None) -> str:
    """Return as text why two snapshots were not compared, and how to compare them; "" without a problem.

    It is the end of a sentence, without a full stop.
    """
    if problem is None:
        return ""
    if problem.kind is ComparisonProblemKind.FAILED:
        return problem.error
    reason = _TEXTS[problem.kind].format(
        error=problem.error, needed=size(problem.needed_bytes), available=size(problem.available_bytes)
    )
    command = shlex.join(("heap-exporter", "report", str(problem.before), str(problem.after)))
    return f"{reason}; to compare the snapshots on another machine, copy them and run {code(command)}"


def uncompared_advice(problem: ComparisonProblem) -> str:
    """Return the text of a problem as a whole sentence."""
    text = comparison_problem_text(problem)
    return f"{text[:1].upper()}{text[1:]}."
