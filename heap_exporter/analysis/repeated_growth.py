"""Finds what grows each time a scenario is repeated: snapshots between batches of repetitions show it.

This is the method of LeakCanary's ``ObjectGrowthDetector``: a group of objects leaks if each batch adds at least one
object a repetition. Each batch has several times the repetitions of the one before, so the growth of a cache with a
limit falls behind. The first batch may fill caches: it only shows that something grows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from heap_exporter.analysis.library_caches import is_bounded
from heap_exporter.analysis.matching import Pair, match_groups
from heap_exporter.analysis.results import Heap, Suspect
from heap_exporter.analysis.suspects import growth_of_objects, is_hash_table, is_unrooted, suspects_by
from heap_exporter.model import Census, TypeCount
from heap_exporter.model.paths import Step, StepKind
from heap_exporter.model.runtime_names import family_of, normalised
from heap_exporter.runtime.short_repr import short_repr

MIN_OBJECTS_EACH = 1.0
MIN_BYTES_EACH = 8.0
"""Minimum growth a repetition: one object, or one reference in a list or bytes in a buffer."""

MAX_RATE_RATIO = 2.0
"""After the first batch, the growth a repetition differs by at most this factor from batch to batch."""

_Key = tuple[tuple[Step, str], ...]
"""The identity of a path group in all snapshots: its steps and types from the root, with families of names."""

_Rates = dict[_Key, tuple[float, ...]]
"""The growth a repetition in each batch, of path groups that grew in all of them."""

IsLeftOut = Callable[[Step, str], bool]
"""Returns whether nothing that an object holds is a suspect, by the step to it and its type."""


@dataclass(frozen=True, slots=True)
class FoundLeak:
    """One place where a scenario leaks: ``suspect`` has the growth in the last batch of ``repetitions``."""

    suspect: Suspect
    repetitions: int

    __repr__ = short_repr

    @property
    def objects_each(self) -> float:
        """How many objects one repetition of the scenario leaves behind."""
        return self.suspect.objects.growth / self.repetitions

    @property
    def bytes_each(self) -> float:
        """How many bytes one repetition of the scenario leaves behind, with all that the objects hold."""
        return self.suspect.total_bytes.growth / self.repetitions


def some_type_grew(before: Census, after: Census, repetitions: int) -> bool:
    """Return whether the objects of any type grew enough for a leak: only then a batch of repetitions is analysed."""
    old = {row.type_name: row for row in before.types}
    nothing = TypeCount("", 0, 0)
    return any(
        row.objects - old.get(row.type_name, nothing).objects >= MIN_OBJECTS_EACH * repetitions
        or row.bytes - old.get(row.type_name, nothing).bytes >= MIN_BYTES_EACH * repetitions
        for row in after.types
    )


class RepeatedGrowth:
    """The groups of objects that grew in every batch of repetitions so far."""

    def __init__(self, is_left_out: IsLeftOut) -> None:
        self._is_left_out = is_left_out
        self._objects: _Rates | None = None
        self._bytes: _Rates | None = None
        self._pairs: Sequence[Pair] = ()
        self._repetitions = 0
        self._more_modules = 0

    def add_batch(self, before: Heap, after: Heap, repetitions: int) -> bool:
        """Add the snapshots before and after a batch; return whether anything grew in every batch so far."""
        self._pairs, self._repetitions = match_groups(before, after), repetitions
        self._more_modules = sum(pair.objects.growth for pair in self._pairs if pair.type_name == "module")
        grown = [pair for pair in self._pairs if pair.type_name and pair.gained_bytes and not self._ignores(pair)]
        objects = {pair: pair.objects.growth / repetitions for pair in grown}
        self._objects = _with_batch(self._objects, objects, MIN_OBJECTS_EACH)
        buffers = [pair for pair in grown if not is_hash_table(pair) and not is_unrooted(pair)]
        sizes = {pair: growth_of_objects(pair) / repetitions for pair in buffers}
        self._bytes = _with_batch(self._bytes, sizes, MIN_BYTES_EACH)
        return bool(self._objects or self._bytes)

    def leaks(self) -> tuple[FoundLeak, ...]:
        """Return the places where the growth a repetition was about the same in each batch after the first."""
        return tuple(FoundLeak(suspect, self._repetitions) for suspect in suspects_by(self, self._pairs[0], None))

    def leaves_out(self, holder: Pair) -> bool:
        """Return whether nothing below a holder is a suspect: the tools that run the scenario keep it."""
        return self._is_left_out(holder.step, holder.type_name)

    def accumulates(self, pair: Pair) -> bool:
        """Return whether a path group gained objects with each repetition."""
        return pair.objects.growth > 0 and _is_steady(self._objects, pair)

    def is_bounded(self, pair: Pair) -> bool:
        """Return whether a path group is a cache of the standard library with a limit."""
        return is_bounded(pair, self._more_modules)

    def swells(self, pair: Pair) -> bool:
        """Return whether the objects of a path group themselves grew with each repetition."""
        return growth_of_objects(pair) > pair.gained_bytes / 2 and _is_steady(self._bytes, pair)

    def _ignores(self, pair: Pair) -> bool:
        return _is_in_text_buffer(pair) or any(self.leaves_out(each) for each in pair.trail())


def _is_in_text_buffer(pair: Pair) -> bool:
    """Return whether these are the parts of an ``io.StringIO``: its list has no holder, because C code hides it."""
    _, top, *below = pair.trail()
    return top.step.kind is StepKind.OUTSIDE and [each.type_name for each in below] == ["list", "str"]


def _with_batch(rates: _Rates | None, grown: dict[Pair, float], least: float) -> _Rates:
    """Return the growth a repetition of the path groups that grew in all batches, with that of one more batch."""
    found = {_key(pair): rate for pair, rate in grown.items() if rate >= least}
    if rates is None:
        return {key: (rate,) for key, rate in found.items()}
    return {key: (*rates[key], rate) for key, rate in found.items() if key in rates}


def _is_steady(rates: _Rates | None, pair: Pair) -> bool:
    after_first = (rates or {}).get(_key(pair), ())[1:]
    return bool(after_first) and max(after_first) <= MAX_RATE_RATIO * min(after_first)


def _key(pair: Pair) -> _Key:
    return tuple((normalised(each.step), family_of(each.type_name)) for each in pair.trail())
