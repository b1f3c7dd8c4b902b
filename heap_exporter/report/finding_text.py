"""Findings of an investigation and verdicts of a comparison, in sentences. Names stand between `backticks`."""

from __future__ import annotations

from heap_exporter.analysis.results import Diff, NewGroup, PathChange, Suspect, short_name
from heap_exporter.model import Accumulation, CacheLimit, Finding, FindingKind, SettledHolder
from heap_exporter.model.accumulation_json import path_document
from heap_exporter.model.paths import SYS_MODULES, StepKind
from heap_exporter.report.advice_text import pattern_advice
from heap_exporter.report.lost_text import lost_text
from heap_exporter.report.path_text import code, path_text, step_text, step_texts
from heap_exporter.runtime.formatting import duration, gain, rate, size

NO_SUSPECT = "no leak suspect found"
NO_GROWTH = "memory did not grow"
MIN_STATED_BYTES = 64 * 1024
MIN_STATED_NATIVE_BYTES = 1024 * 1024
MIN_STATED_NATIVE_SHARE = 0.25
"""Minimum growth of Python objects, and of native memory, that the result of a comparison states.

malloc adds some bytes to each object, so a small share of native growth belongs to the objects.
"""

NOT_COMPARABLE = (
    "different heap walkers took the two snapshots and see different objects: take both with the same walker"
)


def percent(share: float) -> str:
    """Return a share as text: ``98 %``; a small share that is not 0 is ``< 1 %``."""
    return "< 1 %" if 0 < share < 0.005 else f"{share * 100:.0f} %"


def finding_text(finding: Finding) -> str:
    """Return a finding as text: one sentence."""
    if finding.accumulation:
        return accumulation_text(finding.accumulation)
    if finding.kind is FindingKind.CONFIRMS_LOST_MEMORY:
        return lost_text(finding.lost) or "the comparison of two snapshots shows memory that C code lost"
    if finding.confirms:
        return "the comparison of two snapshots shows where objects accumulate"
    return _cleared_text(finding)


def _cleared_text(finding: Finding) -> str:
    if finding.kind is FindingKind.CLEARS_IN_FLIGHT and not finding.in_flight_types:
        return "two snapshots show no place where objects accumulate: the growth is work in progress"
    if finding.kind is FindingKind.CLEARS_SETTLED_HOLDER:
        return f"{_settled_text(finding.settled_holder)}: it is not the cause of the growth"
    caches = [f"a cache is filling up: {_cache_limit_text(limit)}" for limit in finding.cache_limits]
    in_flight = [f"running calls hold {name}: the growth is work in progress" for name in finding.in_flight_types]
    return "; ".join([*caches, *in_flight]) or "a cache is filling up and is below its limit"


def accumulation_text(found: Accumulation) -> str:
    """Return as text what accumulates where, and how fast."""
    grown = _grown_text(found) + (f" in {duration(found.minutes * 60)}" if found.minutes else "")
    speed = f" ({rate(found.bytes_per_minute / 60)})" if found.bytes_per_minute is not None else ""
    what = f"{code(path_text(found.holder))} {_change_text(found)}{grown}{speed}"
    return f"{what}, {percent(found.share)} of the growth"


def _grown_text(found: Accumulation) -> str:
    if found.native_bytes is None:
        return f", {gain(found.bytes)}"
    return f" next to {gain(found.native_bytes)} of native memory"


def is_of_modules(found: Accumulation) -> bool:
    """Return whether modules accumulate: the path begins with their name."""
    return found.holder == (SYS_MODULES,) and found.path[0].kind is StepKind.MODULE


def _change_text(found: Accumulation) -> str:
    name, more, plural = code(short_name(found.type_name)), found.objects, "" if found.objects == 1 else "s"
    if more <= 0:
        return f"has larger {name} objects"
    if is_of_modules(found):
        return f"gained {more:,} module{plural} {code(found.path[0].name)}"
    return f"gained {more:,} {name} object{plural}"


def suspect_text(found: Suspect) -> str:
    """Return a suspect as text: what accumulates where, and how fast."""
    return accumulation_text(suspect_accumulation(found))


def suspect_accumulation(found: Suspect) -> Accumulation:
    """Return a suspect of a comparison as the accumulation that a report shows."""
    return Accumulation(
        type_name=found.type_name,
        holder=found.holder,
        path=found.path,
        fingerprint=found.fingerprint,
        objects=found.objects.growth,
        bytes=found.total_bytes.growth,
        bytes_per_minute=found.bytes_per_minute,
        share=found.share,
        pattern=found.pattern,
        native_bytes=found.native_bytes,
    )


def comparison_text(found: Diff) -> str:
    """Return the result of a comparison as text: one sentence."""
    if not found.is_comparable:
        return NOT_COMPARABLE
    if found.suspects:
        first = f"{found.suspects[0].type_name} accumulates in {path_text(found.suspects[0].holder)}"
        more = len(found.suspects) - 1
        return first if not more else f"{first}; {more} more suspect{'s' if more > 1 else ''}"
    if found.new_group:
        return f"{NO_SUSPECT}, but {_new_group_text(found.new_group)}"
    grown = "; ".join(filter(None, (_python_growth_text(found), _native_growth_text(found))))
    return f"{NO_SUSPECT}: {grown or NO_GROWTH}"


def _python_growth_text(found: Diff) -> str:
    """Return as text by how much Python objects grew and where most of the growth is, "" if they did not grow."""
    if found.gained_bytes < MIN_STATED_BYTES:
        return ""
    grown = f"Python objects grew by {size(found.gained_bytes)}"
    half = [row for row in found.paths if row.total_bytes.growth >= found.gained_bytes / 2]
    place = max(half or found.paths[:1], key=_depth, default=None)
    if place is None:
        return grown
    part = "most of it" if half else "the largest part"
    return f"{grown}, {part} in {path_text(place.steps)} ({gain(place.total_bytes.growth)})"


def _depth(row: PathChange) -> tuple[int, bool]:
    """Return the depth of a path; a module's global is below the module, though its path is as long."""
    return len(row.steps), bool(row.steps) and row.steps[-1].kind is not StepKind.MODULE


def _native_growth_text(found: Diff) -> str:
    """Return as text by how much native memory grew, "" if it did not grow or that is unknown."""
    native = found.native_bytes or 0
    if native < max(MIN_STATED_NATIVE_BYTES, MIN_STATED_NATIVE_SHARE * (native + found.gained_bytes)):
        return ""
    return f"native memory grew by {size(native)}: snapshots do not show the memory of C code and of mappings"


def accumulation_document(found: Accumulation) -> dict[str, object]:
    """Return an accumulation for a JSON document: its path as text and as typed steps, with a sentence and advice."""
    return {
        "type_name": found.type_name,
        "holder": path_text(found.holder),
        "path": list(step_texts(found.path)),
        "steps": path_document(found.path),
        "fingerprint": found.fingerprint,
        "objects": found.objects,
        "bytes": found.bytes,
        "bytes_per_minute": found.bytes_per_minute,
        "share": found.share,
        "pattern": found.pattern,
        "native_bytes": found.native_bytes,
        "text": accumulation_text(found),
        "advice": pattern_advice(found.pattern),
    }


def _cache_limit_text(limit: CacheLimit) -> str:
    return f"{_place_name(limit)} has {limit.entries:,} of at most {limit.max_entries:,} entries"


def _settled_text(found: SettledHolder | None) -> str:
    if found is None:
        return "the place that gained objects has stopped growing"
    return f"{_place_name(found)} has {found.entries:,} entries and had {found.peak_entries:,} before"


def _place_name(place: CacheLimit | SettledHolder) -> str:
    name = step_text(place.step)
    has_own_name = place.step.kind in (StepKind.MODULE_GLOBAL, StepKind.CLASS_ATTRIBUTE, StepKind.ATTRIBUTE)
    return name if has_own_name else f"{short_name(place.type_name)} ({name})"


def _new_group_text(group: NewGroup) -> str:
    new = f"{size(group.bytes)} is new in {path_text(group.steps)}"
    return f"{new}; a third snapshot will show whether it continues to grow"
