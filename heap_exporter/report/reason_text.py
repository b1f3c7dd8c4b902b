"""The reasons for a verdict as sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from heap_exporter.model import Reason, ReasonKind, Verdict
from heap_exporter.report.finding_text import finding_text
from heap_exporter.runtime import formatting


def sentences(verdict: Verdict) -> tuple[str, ...]:
    """Return the finding of a verdict, if any, and its reasons as text: one sentence each, without a full stop.

    A reason of a kind or with values that this version does not know, as in the crash record of another version, is
    left out.
    """
    finding = [finding_text(verdict.finding)] if verdict.finding else []
    return (*finding, *filter(None, map(sentence, verdict.reasons)))


def summary(verdict: Verdict) -> str:
    """Return a verdict as text: its first sentence, "" if it has none."""
    return next(iter(sentences(verdict)), "")


def sentence(reason: Reason) -> str | None:
    """Return a verdict's reason as text: one sentence, None if this version does not know its kind or values."""
    write = _SENTENCES.get(reason.kind)
    if write is None:
        return None
    try:
        return write(**reason.values)
    except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError):  # written by another version
        return None


def _warming_up(seen_seconds: float, needed_seconds: float) -> str:
    unit, name = (1.0, "seconds") if needed_seconds < 120 else (60.0, "minutes")
    needed = needed_seconds / unit
    seen = math.floor(min(seen_seconds / unit, needed))
    return f"warming up: {seen} of {needed:.0f} {name} observed"


def _grew(gained_bytes: float, seconds: float, slope_bytes_per_second: float) -> str:
    return f"{_gained(gained_bytes, seconds)} ({formatting.rate(slope_bytes_per_second)})"


def _grew_too_little(gained_bytes: float, seconds: float, min_bytes: float) -> str:
    return f"{_gained(gained_bytes, seconds)}, below the minimum of {formatting.size(min_bytes)}"


def _grew_unsteadily(gained_bytes: float, seconds: float) -> str:
    return f"{_gained(gained_bytes, seconds)}, but not steadily"


def _lows_rise(share: float, noise_ratio: float | None) -> str:
    noise = f" ({noise_ratio:,.0f} × the noise)" if noise_ratio is not None else ""
    if share == 1:
        return f"each low point of memory use is above the earlier ones{noise}"
    return f"{math.floor(share * 100)}% of the low points of memory use are above the earlier ones{noise}"


def _last_third(slope_ratio: float) -> str:
    return f"in the last third of that period, memory grew at {slope_ratio:.0%} of the average rate"


def _new_height(above_bytes: float) -> str:
    return f"memory is {formatting.size(above_bytes)} above all of its earlier heights"


def _earlier_runs(runs: int, slope_bytes_per_second: float) -> str:
    count = "the process run before this one" if runs == 1 else f"{runs} process runs before this one"
    return f"{count} grew too ({formatting.rate(slope_bytes_per_second)})"


def _time_to_limit(limit_bytes: float, seconds: float) -> str:
    limit, left = formatting.size(limit_bytes), formatting.duration(seconds)
    return f"at this rate, memory will reach its limit of {limit} in {left}"


def _only_file_pages() -> str:
    return "private memory is not growing: the growth is in pages of mapped files, which the kernel can reclaim"


def _type_grew(type_name: str, objects: int, gained_bytes: float) -> str:
    return f"growing type: {type_name} ({formatting.difference(objects)} objects, {formatting.gain(gained_bytes)})"


def _did_not_grow() -> str:
    return "memory did not grow during the observation period"


def _part(name: str) -> Callable[[float, float], str]:
    """Return the writer of a sentence about a part of the growth that has only the two values of all parts."""

    def write(gained_bytes: float, growth_bytes: float) -> str:
        return f"{name}: {_share(gained_bytes, growth_bytes)}"

    return write


def _python_objects(gained_bytes: float, growth_bytes: float, objects: float | None) -> str:
    gained = f" ({formatting.difference(round(objects))})" if objects is not None else ""
    return f"Python objects{gained}: {_share(gained_bytes, growth_bytes)}"


def _python_blocks(gained_bytes: float, growth_bytes: float, blocks: float) -> str:
    return f"Python objects ({formatting.count(blocks)} new memory blocks): about {_share(gained_bytes, growth_bytes)}"


def _pymalloc_free(
    gained_bytes: float, growth_bytes: float, first_bytes_per_block: float | None, last_bytes_per_block: float | None
) -> str:
    per_block = ""
    if first_bytes_per_block is not None and last_bytes_per_block is not None:
        per_block = f" ({first_bytes_per_block:.0f} → {last_bytes_per_block:.0f} bytes of arenas per block)"
    return f"free memory in pymalloc{per_block}: {_share(gained_bytes, growth_bytes)}"


def _mixture(growth_bytes: float, shares: Mapping[str, float]) -> str:
    parts = ", ".join(f"{cause} {share:.0%}" for cause, share in shares.items())
    text = f"no single kind of memory accounts for half of the growth of {formatting.size(growth_bytes)}"
    return f"{text}: {parts}" if parts else text


def _python_unknown() -> str:
    return (
        "memory in use in malloc grew, but the share of Python objects is unknown: there is no census (count of all"
        " objects by type) and no count of memory blocks (unavailable with PYTHONMALLOC=malloc)"
    )


def _parts_unknown() -> str:
    return "only the size of the process is known: Python objects, memory blocks and malloc could not be measured"


def _in_garbage(objects: float) -> str:
    return f"the garbage collector could not free {formatting.count(objects)} objects: they are in gc.garbage"


def _still_referenced(full_collections: float) -> str:
    runs = "1 full garbage collection" if full_collections == 1 else f"{full_collections:,.0f} full garbage collections"
    return f"{runs} did not free the new objects: they are still referenced"


def _not_collected(objects: float) -> str:
    return f"no full garbage collection ran while {formatting.count(objects)} objects were added"


def _collector_off() -> str:
    return "the garbage collector is off (gc.disable()): reference cycles are not freed"


def _collector_off_no_cycles() -> str:
    return "the garbage collector is off, but the new objects cannot form reference cycles: they are still referenced"


def _interned_strings(objects: float) -> str:
    return f"{objects:,.0f} more strings are interned, and this version of Python never frees interned strings"


def _incremental_collector() -> str:
    return "this version of Python has an incremental garbage collector, which frees reference cycles late"


_SENTENCES: dict[ReasonKind, Callable[..., str]] = {
    ReasonKind.WARMING_UP: _warming_up,
    ReasonKind.GREW: _grew,
    ReasonKind.GREW_TOO_LITTLE: _grew_too_little,
    ReasonKind.GREW_UNSTEADILY: _grew_unsteadily,
    ReasonKind.LOWS_RISE: _lows_rise,
    ReasonKind.LAST_THIRD: _last_third,
    ReasonKind.NEW_HEIGHT: _new_height,
    ReasonKind.EARLIER_RUNS: _earlier_runs,
    ReasonKind.TIME_TO_LIMIT: _time_to_limit,
    ReasonKind.ONLY_FILE_PAGES: _only_file_pages,
    ReasonKind.TYPE_GREW: _type_grew,
    ReasonKind.DID_NOT_GROW: _did_not_grow,
    ReasonKind.FILE_PAGES: _part("pages of mapped files"),
    ReasonKind.SHARED_MEMORY: _part("shared memory"),
    ReasonKind.PYTHON_OBJECTS: _python_objects,
    ReasonKind.PYTHON_BLOCKS: _python_blocks,
    ReasonKind.MALLOC_IN_USE: _part("memory in use in malloc outside of Python objects"),
    ReasonKind.MALLOC_FREE: _part("free memory in malloc"),
    ReasonKind.PYMALLOC_FREE: _pymalloc_free,
    ReasonKind.FREED_BY_PYTHON: _part("memory of freed Python objects that was not returned to the system"),
    ReasonKind.NOT_PYTHON: _part("memory outside of Python objects"),
    ReasonKind.MAPPINGS: _part("anonymous mappings outside of malloc and pymalloc (mmap, thread stacks)"),
    ReasonKind.MIXTURE: _mixture,
    ReasonKind.PYTHON_UNKNOWN: _python_unknown,
    ReasonKind.PARTS_UNKNOWN: _parts_unknown,
    ReasonKind.INTERNED_STRINGS: _interned_strings,
    ReasonKind.INCREMENTAL_COLLECTOR: _incremental_collector,
    ReasonKind.IN_GARBAGE: _in_garbage,
    ReasonKind.STILL_REFERENCED: _still_referenced,
    ReasonKind.NOT_COLLECTED: _not_collected,
    ReasonKind.COLLECTOR_OFF: _collector_off,
    ReasonKind.COLLECTOR_OFF_NO_CYCLES: _collector_off_no_cycles,
}


def _gained(gained_bytes: float, seconds: float) -> str:
    return f"{formatting.gain(gained_bytes)} in {formatting.duration(seconds)}"


def _share(gained_bytes: float, growth_bytes: float) -> str:
    share = f"{gained_bytes / growth_bytes:.0%} of" if gained_bytes <= growth_bytes else "more than"
    return f"{formatting.gain(gained_bytes)}, {share} the growth of {formatting.size(growth_bytes)}"
