"""Finds the places where objects accumulate: holders that both snapshots have, with a growing number of objects.

The search starts at the roots of two matched snapshots (:mod:`.matching`). A group accumulates if it gained more
objects than chance explains, and bytes with them; few objects are enough if they are heavy. The search stops there: the
subtree of these objects grew with them. It follows only holders that both snapshots have. The contents of a new holder,
such as a module that was imported in between, are new and no suspect.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple, Protocol

from heap_exporter.analysis.chance import HEAVY_GROWTH_BYTES, HEAVY_OBJECTS, exceeds_chance
from heap_exporter.analysis.fingerprint import fingerprint
from heap_exporter.analysis.leak_patterns import Link, Trail, leak_pattern
from heap_exporter.analysis.library_caches import is_bounded
from heap_exporter.analysis.matching import Pair
from heap_exporter.analysis.native_growth import find_handles
from heap_exporter.analysis.results import Change, HoldingKind, Suspect, short_name
from heap_exporter.model.paths import SYS_MODULES, RetainerPath, Step, StepKind

MIN_GROWTH_BYTES = 64 * 1024
MIN_SHARE = 0.01
MIN_SHARE_AMID_IMPORTS = 0.1
"""Minimum growth of a suspect, and its minimum share of the heap's growth.

The share is larger if modules were imported between the snapshots, because their tables and caches fill at first use.
"""

CONSIDERABLE = 0.25
"""Minimum share of a growth that counts: a type below a group is named instead if it has this share of its growth."""

OLD_GARBAGE_SHARE = 0.25
YOUNG_GARBAGE_OBJECTS = 10_000
"""Normal garbage: CPython collects the old generation when it has a quarter of new objects, the young ones earlier."""

CODE_GROWTH = 1.02
"""If classes and functions grew by this factor, the process has imported modules."""

HASH_TABLE_GROWTH = 4
"""Factor by which a full hash table grows at once."""

_HASH_TABLES = frozenset(
    {"dict", "set", "frozenset", "OrderedDict", "defaultdict", "Counter", "_lru_cache_wrapper", "WeakValueDictionary"}
)

_CONTAINED = (StepKind.ITEM, StepKind.DICT_VALUE, StepKind.DICT_KEY)

_RUNNING = (StepKind.LOCAL_VARIABLE, StepKind.TASK, StepKind.SCHEDULED_CALLBACK)

_UNROOTED = (StepKind.OUTSIDE, StepKind.INTERPRETER)

_HOLDINGS = {StepKind.OUTSIDE: HoldingKind.OUTSIDE, StepKind.GARBAGE: HoldingKind.GARBAGE}
"""How the objects below a topmost group are held; all others are reachable."""


def find_suspects(pairs: Sequence[Pair], reachable_objects: int, minutes: float | None) -> tuple[Suspect, ...]:
    """Return the places where objects accumulate between two snapshots, by falling growth.

    ``pairs`` are all pairs, the root first. ``reachable_objects`` is the number of objects in the later snapshot that
    roots lead to.
    """
    return suspects_by(_ByChance(pairs, reachable_objects), pairs[0], minutes)


class GrowthCriteria(Protocol):
    """Decides which pairs of groups are suspects; the search decides where it looks for them."""

    def leaves_out(self, holder: Pair) -> bool:
        """Return whether nothing below a holder is a suspect."""

    def accumulates(self, pair: Pair) -> bool:
        """Return whether a path group gained more objects than a healthy program explains."""

    def is_bounded(self, pair: Pair) -> bool:
        """Return whether a group that does not accumulate itself is a cache with a limit: nothing below it counts."""

    def swells(self, pair: Pair) -> bool:
        """Return whether the objects of a path group grew, not their number nor their subtrees: a large buffer."""


def suspects_by(criteria: GrowthCriteria, root: Pair, minutes: float | None) -> tuple[Suspect, ...]:
    """Return the places where objects accumulate by some criteria, by falling growth."""
    search = _SuspectSearch(criteria)
    found = [place for top in root.children for place in search.below(top)]
    heaviest = [place.heaviest for place in found]
    suspects = [
        _suspect(place, root.gained_bytes, minutes) for place in found if not _follows(place.heaviest, heaviest)
    ]
    return tuple(sorted(suspects, key=lambda suspect: (-suspect.total_bytes.growth, suspect.fingerprint)))


def native_suspect(pairs: Sequence[Pair], native_bytes: int, minutes: float | None) -> Suspect | None:
    """Return the handles whose number grew with the native memory between two snapshots, ``None`` if there are none."""
    found = find_handles(pairs, native_bytes)
    if found is None:
        return None
    pair, handle = found
    gained_bytes = pairs[0].gained_bytes + native_bytes
    suspect = _suspect(_Place(pair, [pair]), gained_bytes, minutes)
    return replace(
        suspect,
        fingerprint=fingerprint(suspect.holder, handle.type_name),
        type_name=handle.type_name,
        path=handle.path(),
        objects=handle.objects,
        shallow_bytes=handle.shallow_bytes,
        retained_bytes=handle.retained_bytes,
        share=(native_bytes + pair.gained_bytes) / gained_bytes,
        bytes_per_minute=(native_bytes + suspect.total_bytes.growth) / minutes if minutes else None,
        native_bytes=native_bytes,
    )


class _Place(NamedTuple):
    """One place: the groups that accumulate there, the ``heaviest`` of them, and the ``holder`` that grew with them."""

    heaviest: Pair
    gathered: Sequence[Pair]
    holder: Pair | None = None

    def total_bytes(self) -> Change:
        totals = [pair.total_bytes for pair in self.gathered]
        totals += [self.holder.shallow_bytes] if self.holder else []
        return Change(sum(total.before for total in totals), sum(total.after for total in totals))

    def gained_bytes(self) -> int:
        own = max(0, self.holder.shallow_bytes.growth) if self.holder else 0
        return own + sum(pair.gained_bytes for pair in self.gathered)


class _SuspectSearch:
    def __init__(self, criteria: GrowthCriteria) -> None:
        self._criteria = criteria

    def below(self, holder: Pair) -> list[_Place]:
        """Return the suspects below a holder that both snapshots have."""
        if self._criteria.leaves_out(holder):
            return []
        here: list[Pair] = []
        deeper: list[_Place] = []
        for pair in holder.children:
            if self._criteria.accumulates(pair):
                further = self.below(pair) if _grew_inside(pair) else []
                deeper += further
                here += [] if further else [pair]
            elif pair.is_in_both and not self._criteria.is_bounded(pair):
                further = self.below(pair)
                if further and _grew_by_number(pair):
                    here.append(pair)
                else:
                    deeper += further or ([_Place(pair, [pair])] if self._criteria.swells(pair) else [])
        if not holder.type_name:
            return deeper + [_Place(pair, [pair]) for pair in here]
        # The keys, the values and the table of a dict are one leak; so are the items of a list of two types.
        heaviest = sorted(here, key=lambda pair: -pair.total_bytes.growth)
        return deeper + [_Place(pair, here, holder) for pair in heaviest[:1]]


class _ByChance:
    """The growth that chance does not explain between two snapshots: a :class:`GrowthCriteria`."""

    def __init__(self, pairs: Sequence[Pair], reachable_objects: int) -> None:
        self._code_growth = _code_growth(pairs)
        min_share = MIN_SHARE_AMID_IMPORTS if self._code_growth > CODE_GROWTH else MIN_SHARE
        self._min_bytes = max(MIN_GROWTH_BYTES, min_share * pairs[0].gained_bytes)
        self._heavy_bytes = max(HEAVY_GROWTH_BYTES, CONSIDERABLE * pairs[0].gained_bytes)
        self._more_modules = sum(pair.objects.growth for pair in pairs if pair.type_name == "module")
        self._normal_garbage_objects = max(YOUNG_GARBAGE_OBJECTS, OLD_GARBAGE_SHARE * reachable_objects)

    def leaves_out(self, holder: Pair) -> bool:
        return holder.step.kind is StepKind.GARBAGE and not self._is_uncollected(holder)

    def accumulates(self, pair: Pair) -> bool:
        objects = pair.objects
        if self._may_come_with_code(pair):
            return False
        expected = objects.before * self._code_growth if _comes_with_code(pair) else objects.before
        gained = objects.after - expected
        if exceeds_chance(gained, expected):
            return pair.total_bytes.growth >= self._min_bytes
        is_heavy = pair.total_bytes.growth >= self._heavy_bytes and not _may_be_in_use(pair)
        return is_heavy and gained >= HEAVY_OBJECTS

    def is_bounded(self, pair: Pair) -> bool:
        return is_bounded(pair, self._more_modules)

    def swells(self, pair: Pair) -> bool:
        """Return whether the objects themselves grew between two snapshots, without their subtrees: a large buffer."""
        if not pair.type_name or is_unrooted(pair):
            return False
        growth, size_bytes = growth_of_objects(pair), pair.shallow_bytes
        is_resized = is_hash_table(pair) and size_bytes.after <= HASH_TABLE_GROWTH * size_bytes.before
        return growth >= self._min_bytes and growth > pair.gained_bytes / 2 and not is_resized

    def _may_come_with_code(self, pair: Pair) -> bool:
        """Return whether imported extension modules may keep these: objects of built-in types or of their own types."""
        is_known = pair.objects.before > 0 and is_application_type(pair.type_name)
        return self._code_growth > CODE_GROWTH and is_unrooted(pair) and not is_known

    def _is_uncollected(self, garbage: Pair) -> bool:
        return sum(pair.objects.after for pair in garbage.all_below()) > self._normal_garbage_objects


def _grew_inside(pair: Pair) -> bool:
    """Return whether most of the growth is in the subtrees of the objects, not in their number."""
    return _beyond_number(pair.objects, pair.total_bytes) > pair.total_bytes.growth / 2


def _grew_by_number(pair: Pair) -> bool:
    """Return whether a few more objects explain the growth of their subtrees: these objects are the suspects."""
    beyond = _beyond_number(pair.objects, pair.total_bytes)
    return pair.objects.growth > 0 and abs(beyond) < CONSIDERABLE * pair.total_bytes.growth


def growth_of_objects(pair: Pair) -> float:
    """Return by how many bytes the objects of a path group grew themselves, without what their number explains."""
    return _beyond_number(pair.objects, pair.shallow_bytes)


def is_application_type(type_name: str) -> bool:
    """Return whether a suspect's type is neither built in nor of the standard library."""
    package, dot, _ = type_name.partition(".")
    return bool(dot) and package not in sys.stdlib_module_names


def _beyond_number(objects: Change, size_bytes: Change) -> float:
    """Return the growth between two snapshots beyond that of the number of objects, at their earlier mean size."""
    if not objects.before:
        return 0.0
    return size_bytes.growth - size_bytes.before / objects.before * objects.growth


def _suspect(place: _Place, gained_bytes: int, minutes: float | None) -> Suspect:
    pair, total_bytes = place.heaviest, place.total_bytes()
    heaviest = _heaviest_below(pair)
    named = next((each for each in heaviest if is_application_type(each.type_name)), pair)
    trail = pair.trail()
    holder = pair.parent.path() if pair.parent else RetainerPath()
    holder = holder or RetainerPath([_top_holder(trail[1].step)])
    return Suspect(
        fingerprint=fingerprint(holder, named.type_name),
        type_name=named.type_name,
        holder=holder,
        path=named.path(),
        objects=named.objects,
        shallow_bytes=named.shallow_bytes,
        retained_bytes=named.retained_bytes,
        total_bytes=total_bytes,
        share=place.gained_bytes() / gained_bytes,
        bytes_per_minute=total_bytes.growth / minutes if minutes else None,
        holding=_HOLDINGS.get(trail[1].step.kind, HoldingKind.REACHABLE),
        pattern=leak_pattern(_links(trail[1:]), _onwards(pair, heaviest[1:])) if pair.objects.growth > 0 else None,
    )


def _top_holder(step: Step) -> Step:
    return SYS_MODULES if step.kind is StepKind.MODULES else step


def _links(trail: Sequence[Pair]) -> Trail:
    return tuple(Link(each.step, each.type_name) for each in trail)


def _onwards(pair: Pair, heaviest: Sequence[Pair]) -> Iterator[Trail]:
    """Yield the retainer paths on from the accumulating objects: the heaviest one, and each of one step."""
    yield from map(_links, chain([heaviest], ([child] for child in pair.children if child.gained_bytes)))


def _follows(pair: Pair, others: Sequence[Pair]) -> bool:
    """Return whether these are weak references: their number follows that of the objects that they refer to."""
    growth = pair.objects.growth
    return pair.type_name.startswith("weakref.") and any(
        each is not pair and each.objects.growth >= growth and each.total_bytes.growth > pair.total_bytes.growth
        for each in others
    )


def _heaviest_below(pair: Pair) -> list[Pair]:
    """Return the pair and then, level by level, the child that gained most, while its share is considerable."""
    found = [pair]
    while found[-1].children:
        child = max(found[-1].children, key=lambda each: each.gained_bytes)
        if child.gained_bytes < CONSIDERABLE * pair.gained_bytes:
            break
        found.append(child)
    return found


def is_hash_table(pair: Pair) -> bool:
    """Return whether the bytes are those of a hash table, which grows and shrinks in jumps."""
    return short_name(pair.type_name) in _HASH_TABLES


def is_unrooted(pair: Pair) -> bool:
    """Return whether no module and no thread leads to it: C code or the interpreter holds it."""
    return pair.trail()[1].step.kind in _UNROOTED


def _may_be_in_use(pair: Pair) -> bool:
    """Return whether a running call or C code may hold the objects for a moment: no Python container has them."""
    trail = pair.trail()
    running = max((at for at, each in enumerate(trail) if each.step.kind in _RUNNING), default=None)
    is_contained = running is None or any(each.step.kind in _CONTAINED for each in trail[running:])
    return is_unrooted(pair) or not is_contained


def _comes_with_code(pair: Pair) -> bool:
    """Return whether these may be constants or caches of classes and functions, to which no object refers."""
    holder = pair.parent
    return holder is not None and holder.step.kind in _UNROOTED and "." not in pair.type_name


def _code_growth(pairs: Sequence[Pair]) -> float:
    """Return the ratio of classes and functions in the later snapshot to those before; 1 where there are fewer."""
    before = sum(pair.objects.before for pair in pairs if pair.type_name in ("function", "type"))
    after = sum(pair.objects.after for pair in pairs if pair.type_name in ("function", "type"))
    return max(1.0, after / before) if before else 1.0
