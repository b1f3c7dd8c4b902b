"""A verdict or a suspect in three lines: what grows and how fast, where it is held, what to do.

Every surface shows these lines: status page, HTML report, command line, notifications, log. All three lines of one
summary come from the same accumulation, so they name the same type and holder. Names are between `backticks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from heap_exporter.model import (
    Accumulation,
    Cause,
    GrowingType,
    LeakAlert,
    MemoryKind,
    Reason,
    ReasonKind,
    State,
    Verdict,
    top_growing_type,
)
from heap_exporter.model.paths import StepKind
from heap_exporter.report.advice_text import cause_advice, pattern_advice, with_python_bug_advice
from heap_exporter.report.allocation_text import allocated_text
from heap_exporter.report.comparison_problem_text import uncompared_advice
from heap_exporter.report.finding_text import is_of_modules
from heap_exporter.report.lost_text import lost_text
from heap_exporter.report.path_text import ARROW, code, path_text, step_texts
from heap_exporter.report.reason_text import sentence
from heap_exporter.runtime.formatting import difference, duration, gain, rate
from heap_exporter.runtime.short_repr import short_repr

HEADLINES = {
    State.WARMING_UP: "Warming up",
    State.STEADY: "Memory is steady",
    State.GROWING: "Memory is growing",
    State.SUSPECTED: "A leak is suspected",
    State.CONFIRMED: "A leak is confirmed",
    State.PLATEAUED: "Memory has stopped growing",
}

CAUSES = {
    Cause.PYTHON_OBJECTS: "Python objects",
    Cause.UNCOLLECTED_CYCLES: "uncollected reference cycles",
    Cause.NATIVE: "native memory",
    Cause.FRAGMENTATION: "free memory that an allocator keeps",
    Cause.FILE_OR_SHARED: "mapped files or shared memory",
    Cause.LOST_REFERENCES: "references that C code lost",
    Cause.LOST_NATIVE_MEMORY: "native memory that C code lost",
    Cause.UNATTRIBUTED: "memory of unknown kind",
}

_GROWTH = {
    Cause.PYTHON_OBJECTS: "Python objects are accumulating",
    Cause.UNCOLLECTED_CYCLES: "Uncollected reference cycles are accumulating",
    Cause.NATIVE: "Native memory is growing",
    Cause.FRAGMENTATION: "Free memory in an allocator is growing",
    Cause.FILE_OR_SHARED: "Mapped files or shared memory are growing",
    Cause.LOST_REFERENCES: "Objects are accumulating to which C code lost the references",
    Cause.LOST_NATIVE_MEMORY: "Native memory is growing that C code does not free",
    Cause.UNATTRIBUTED: "Memory of unknown kind is growing",
}

_HOLDERS = {
    Cause.PYTHON_OBJECTS: "The holder will be known once two snapshots have been compared",
    Cause.UNCOLLECTED_CYCLES: "Held only by reference cycles that the garbage collector has not freed",
    Cause.NATIVE: "Held by C code or memory mappings, not by Python objects",
    Cause.FRAGMENTATION: "Held by an allocator that does not return freed memory to the system",
    Cause.LOST_REFERENCES: "No pointer in the process leads to this memory",
    Cause.LOST_NATIVE_MEMORY: "No pointer in the process leads to this memory",
    Cause.FILE_OR_SHARED: "Held as pages of mapped files or as shared memory, not by Python objects",
    Cause.UNATTRIBUTED: "The holder is not known: the measurements do not show which kind of memory is growing",
}

_UNCOMPARED = "The holder is not known: the two snapshots of the leak were not compared"

_ROOTS = {
    StepKind.GARBAGE: "only by reference cycles that the garbage collector has not freed",
    StepKind.OUTSIDE: "by C code, not by a Python object",
    StepKind.INTERPRETER: "by the interpreter",
}


class VerdictSummary(NamedTuple):
    """A verdict in three lines, without full stops at the end of the first two. Unknown lines are ""."""

    growth: str
    holder: str = ""
    advice: str = ""

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def lines(self) -> tuple[str, ...]:
        """Return the lines of text that are known."""
        return tuple(filter(None, self))


def headline(verdict: Verdict | None) -> str:
    """Return the state of a verdict as a title in text, with the cause of a suspected or confirmed leak."""
    if verdict is None:
        return HEADLINES[State.WARMING_UP]
    cause = f" in {CAUSES[verdict.cause]}" if verdict.cause and verdict.is_suspicion else ""
    return HEADLINES[verdict.state] + cause


def verdict_summary(verdict: Verdict | None, alert: LeakAlert | None = None) -> VerdictSummary:
    """Return a verdict as three lines of text; ``alert`` is the last alert, for a leak that is still confirmed."""
    if verdict is None:
        return VerdictSummary("No samples yet")
    summary = _summary(verdict, alert)
    if alert and verdict.is_confirmed and alert.allocated_at:
        summary = summary._replace(holder=". ".join(filter(None, (summary.holder, allocated_text(alert.allocated_at)))))
    if not verdict.is_suspicion:
        return summary
    return summary._replace(advice=with_python_bug_advice(verdict, summary.advice))


def _summary(verdict: Verdict, alert: LeakAlert | None) -> VerdictSummary:
    if found := accumulation_of(verdict, alert):
        return accumulation_summary(found)
    if not verdict.is_suspicion:
        return VerdictSummary(_growth(verdict))
    if verdict.finding and verdict.finding.lost:
        return VerdictSummary(lost_text(verdict.finding.lost), advice=cause_advice(verdict.cause))
    if alert and verdict.is_confirmed and alert.comparison_problem:
        return VerdictSummary(_growth(verdict), _UNCOMPARED, uncompared_advice(alert.comparison_problem))
    return VerdictSummary(_growth(verdict), _holder(verdict, alert), cause_advice(verdict.cause))


def accumulation_of(verdict: Verdict | None, alert: LeakAlert | None) -> Accumulation | None:
    """Return the accumulation that the text names, for a leak that snapshots have shown and that is still confirmed."""
    if verdict is None or not verdict.is_suspicion:
        return None
    if verdict.finding and verdict.finding.accumulation:
        return verdict.finding.accumulation
    return alert.accumulation if alert and verdict.is_confirmed else None


def verdict_document(verdict: Verdict | None, alert: LeakAlert | None = None) -> dict[str, str]:
    """Return the headline and the three lines as members of a JSON document."""
    return {"headline": headline(verdict), **verdict_summary(verdict, alert)._asdict()}


def accumulation_summary(found: Accumulation) -> VerdictSummary:
    """Return an accumulation as three lines of text."""
    name = code(_short_name(found.type_name))
    span = f" in {duration(found.minutes * 60)}" if found.minutes else ""
    speed = f" ({rate(found.bytes_per_minute / 60)})" if found.bytes_per_minute is not None else ""
    is_native = found.native_bytes is not None
    grown = f"{gain(found.native_bytes if found.native_bytes is not None else found.bytes)}{span}{speed}"
    more = f", {difference(found.objects)} objects" if found.objects > 0 else ""
    verb = "are accumulating" if found.objects > 0 else "are getting larger"
    verb += " next to native memory" if is_native else ""
    return VerdictSummary(f"{name} objects {verb}: {grown}{more}", _holder_of(found), _advice(found))


def path_steps(found: Accumulation) -> Sequence[str]:
    """Return the steps to the objects as text; the last one is their type, or the name of modules."""
    if is_of_modules(found):
        return (path_text(found.holder), found.path[0].name)
    steps, name = step_texts(found.path), _short_name(found.type_name)
    return steps if steps and steps[-1] == name else (*steps, name)


def _holder_of(found: Accumulation) -> str:
    steps = list(path_steps(found))
    root = found.path[0].kind if found.path else None
    if root in _ROOTS:
        below = steps[1:]
        return f"Held {_ROOTS[root]}" + (f": {_marked(below)}" if len(below) > 1 else "")
    return f"Held by {_marked(steps)}"


def _marked(steps: Sequence[str]) -> str:
    """Return a path as one line of text; the first step and the type at its end are marked as names."""
    last = len(steps) - 1
    return ARROW.join(code(step) if index in (0, last) else step for index, step in enumerate(steps))


def _advice(found: Accumulation) -> str:
    if found.path and found.path[0].kind in _ROOTS:
        return pattern_advice(found.pattern) or cause_advice(Cause.PYTHON_OBJECTS)
    name, holder = code(_short_name(found.type_name)), code(path_text(found.holder))
    start = f"Start with the code that adds {name} objects to {holder}."
    return f"{pattern_advice(found.pattern)} {start}".lstrip()


def _growth(verdict: Verdict) -> str:
    """Return as text how much memory grew and how fast; the type that grows comes first."""
    state = verdict.state
    if state is State.WARMING_UP:
        reason = _reason(verdict, ReasonKind.WARMING_UP)
        text = sentence(reason) if reason else None
        return _capitalised(text.removeprefix("warming up: ")) if text else "No samples yet"
    grown = _grown(verdict)
    top = top_growing_type(verdict.growing_types)
    if state is State.GROWING or verdict.is_suspicion:
        if top and verdict.cause in (None, Cause.PYTHON_OBJECTS, Cause.UNCOLLECTED_CYCLES):
            return f"{_type_growth(top)}" + (f"; all memory: {grown}" if grown else "")
        what = _GROWTH[verdict.cause] if verdict.cause else "Memory is growing"
        return f"{what}: {grown}" if grown else what
    return grown or HEADLINES[state]


def _type_growth(top: GrowingType) -> str:
    name = code(_short_name(top.type_name))
    return f"{name} objects are accumulating: {gain(top.bytes)}, {difference(top.objects)} objects"


def _grown(verdict: Verdict) -> str:
    """Return the growth of all memory as text, "" if no reason has it."""
    for kind in (ReasonKind.GREW, ReasonKind.GREW_TOO_LITTLE, ReasonKind.GREW_UNSTEADILY):
        if reason := _reason(verdict, kind):
            gained, seconds = _number(reason, "gained_bytes"), _number(reason, "seconds")
            slope = _number(reason, "slope_bytes_per_second")
            if gained is None or not seconds:
                return ""
            return f"{gain(gained)} in {duration(seconds)} ({rate(gained / seconds if slope is None else slope)})"
    total = next((trend for trend in verdict.trends if trend.kind is MemoryKind.TOTAL), None)
    return rate(total.slope_bytes_per_second) if total else ""


def _holder(verdict: Verdict, alert: LeakAlert | None) -> str:
    cause = verdict.cause or Cause.UNATTRIBUTED
    mappings = alert.mappings[:2] if alert and verdict.is_confirmed else ()
    grown = ", ".join(f"{code(each.name)} ({gain(each.after_bytes - each.before_bytes)})" for each in mappings)
    return f"{_HOLDERS[cause]}; mappings that grew: {grown}" if grown else _HOLDERS[cause]


def _reason(verdict: Verdict, kind: ReasonKind) -> Reason | None:
    return next((reason for reason in verdict.reasons if reason.kind is kind), None)


def _number(reason: Reason, name: str) -> float | None:
    value = reason.values.get(name)
    return float(value) if isinstance(value, int | float) else None


def _short_name(type_name: str) -> str:
    return type_name.rpartition(".")[2]


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
