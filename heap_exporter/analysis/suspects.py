"""Finds where objects accumulate: the holder that stayed as it was while more and more came to hang on it.

Two snapshots are laid over each other (:mod:`.matching`) and searched from the roots. A group accumulates if it has
more objects than chance brings, and with them more bytes. The search goes no deeper there: what hangs on these objects
grew with them. It passes through holders that both snapshots have; what came with a holder that is new itself, as the
contents of a module that was imported meanwhile, is new and no suspect.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from heap_exporter.analysis import leak_patterns
from heap_exporter.analysis.fingerprint import fingerprint
from heap_exporter.analysis.matching import Pair
from heap_exporter.analysis.paths import normal
from heap_exporter.analysis.results import ARROW, Change, Suspect, joined_steps

MIN_GROWTH_BYTES = 64 * 1024
MIN_SHARE = 0.01
"""Of all that was gained: less is not worth a night."""

CHANCE_OBJECTS = 10
CHANCE_DEVIATIONS = 3.0
"""Numbers that come and go vary by their square root: three times that, and a few, is chance."""

CONSIDERABLE = 0.25
"""The part of a growth from which on a type below a container is worth naming in its stead."""

GARBAGE_LEFT_LYING = 0.25
GARBAGE_OF_YOUNG = 10_000
"""The collector comes for the old when a quarter as many new have lived so long, for the young before 10,000."""

CODE_THAT_CAME = 1.02
"""With so many times more classes and functions, modules were imported."""

HASH_TABLE_LEAP = 4
"""A table that is full grows to so many times its size, though not one entry more need be in it than before."""

_HASH_TABLES = frozenset(
    {"dict", "set", "frozenset", "OrderedDict", "defaultdict", "Counter", "_lru_cache_wrapper", "WeakValueDictionary"}
)

_BOUNDED = frozenset({"re._cache", "re._cacheN", "linecache.cache", "sys.path_importer_cache"})
"""Caches of the standard library that end growing by themselves, as do its functions with an lru_cache."""


def find_suspects(pairs: Sequence[Pair], reachable_objects: int, minutes: float | None) -> tuple[Suspect, ...]:
    """Return the suspects by falling growth. ``pairs`` are all, the root first; ``reachable_objects`` those after."""
    root = pairs[0]
    search = _Search(pairs, reachable_objects)
    found = [place for top in root.children for place in search.below(top)]
    heaviest = [place.heaviest for place in found]
    suspects = [
        _suspect(place, root.gained_bytes, minutes) for place in found if not _follows(place.heaviest, heaviest)
    ]
    return tuple(sorted(suspects, key=lambda suspect: (-suspect.total_bytes.growth, suspect.fingerprint)))


class _Place(NamedTuple):
    """What accumulates at one place: the ``heaviest`` is named, ``gathered`` are all. ``holder`` grew with them."""

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


class _Search:
    def __init__(self, pairs: Sequence[Pair], reachable_objects: int) -> None:
        self._min_bytes = max(MIN_GROWTH_BYTES, MIN_SHARE * pairs[0].gained_bytes)
        self._code_growth = _code_growth(pairs)
        self._garbage_left_lying = max(GARBAGE_OF_YOUNG, GARBAGE_LEFT_LYING * reachable_objects)

    def below(self, holder: Pair) -> list[_Place]:
        """Return what accumulates below a holder, which both snapshots have."""
        if holder.label == "garbage" and holder.type_name == "" and not self._is_neglected(holder):
            return []
        here: list[Pair] = []
        deeper: list[_Place] = []
        for pair in holder.children:
            if self._accumulates(pair):
                further = self.below(pair) if self._grew_inside(pair) else []
                deeper += further
                here += [] if further else [pair]
            elif pair.is_in_both and not _is_bounded(pair):
                further = self.below(pair)
                deeper += further or ([_Place(pair, [pair])] if self._swells(pair) else [])
        if not holder.type_name:
            return deeper + [_Place(pair, [pair]) for pair in here]
        # A dict's keys and values and its table, or a list's items of two types, are one and the same leak.
        heaviest = sorted(here, key=lambda pair: -pair.total_bytes.growth)
        return deeper + [_Place(pair, here, holder) for pair in heaviest[:1]]

    def _accumulates(self, pair: Pair) -> bool:
        objects = pair.objects
        if self._may_come_with_code(pair):
            return False
        expected = objects.before * self._code_growth if _comes_with_code(pair) else objects.before
        chance = CHANCE_OBJECTS + CHANCE_DEVIATIONS * math.sqrt(expected)
        return objects.after - expected > chance and pair.total_bytes.growth >= self._min_bytes

    def _may_come_with_code(self, pair: Pair) -> bool:
        """Return whether it may be what imported extension modules keep: of types of their own, or plain ones."""
        is_known = pair.objects.before > 0 and is_application_type(pair.type_name)
        return self._code_growth > CODE_THAT_CAME and _is_unrooted(pair) and not is_known

    def _grew_inside(self, pair: Pair) -> bool:
        """Return whether most of the growth is not due to there being more objects, but to more behind each."""
        return _beyond_number(pair.objects, pair.total_bytes) > pair.total_bytes.growth / 2

    def _swells(self, pair: Pair) -> bool:
        """Return whether the objects themselves grew, without anything that hangs on them: a buffer, a list of None."""
        if not pair.type_name or _is_unrooted(pair):
            return False
        growth, size_bytes = _beyond_number(pair.objects, pair.shallow_bytes), pair.shallow_bytes
        leaps = _is_hash_table(pair) and size_bytes.after <= HASH_TABLE_LEAP * size_bytes.before
        return growth >= self._min_bytes and growth > pair.gained_bytes / 2 and not leaps

    def _is_neglected(self, garbage: Pair) -> bool:
        objects = sum(pair.objects.after for pair in _all_below(garbage))
        return objects > self._garbage_left_lying


def is_application_type(type_name: str) -> bool:
    """Return whether a type is neither built in nor of the standard library."""
    package, dot, _ = type_name.partition(".")
    return bool(dot) and package not in sys.stdlib_module_names


def _beyond_number(objects: Change, size_bytes: Change) -> float:
    """Return by how much bytes grew beyond what comes of there being more objects, of the size of those before."""
    if not objects.before:
        return 0.0
    return size_bytes.growth - size_bytes.before / objects.before * objects.growth


def _suspect(place: _Place, gained_bytes: int, minutes: float | None) -> Suspect:
    pair, total_bytes = place.heaviest, place.total_bytes()
    heaviest = _heaviest_below(pair)
    named = next((each for each in heaviest if is_application_type(each.type_name)), pair)
    trail = pair.trail()
    holder = _steps(trail[:-1])
    label = trail[1].label
    return Suspect(
        fingerprint=fingerprint(holder, named.type_name),
        type_name=named.type_name,
        holder=ARROW.join(holder) or label,
        path=_steps(named.trail()),
        objects=named.objects,
        shallow_bytes=named.shallow_bytes,
        retained_bytes=named.retained_bytes,
        total_bytes=total_bytes,
        share=place.gained_bytes() / gained_bytes,
        bytes_per_minute=total_bytes.growth / minutes if minutes else None,
        holding=leak_patterns.holding(label),
        advice=leak_patterns.advice(_named(trail[1:]), _onwards(pair, heaviest[1:])) if pair.objects.growth > 0 else "",
    )


def _named(trail: Sequence[Pair]) -> list[tuple[str, str]]:
    return [(each.label, each.type_name) for each in trail]


def _onwards(pair: Pair, heaviest: Sequence[Pair]) -> Iterator[list[tuple[str, str]]]:
    """Yield the ways on from what accumulates: the heaviest one, and all of one step."""
    yield from map(_named, chain([heaviest], ([child] for child in pair.children if child.gained_bytes)))


def _follows(pair: Pair, others: Sequence[Pair]) -> bool:
    """Return whether these are weak references, which only follow the objects that they refer to elsewhere."""
    growth = pair.objects.growth
    return pair.type_name.startswith("weakref.") and any(
        each is not pair and each.objects.growth >= growth and each.total_bytes.growth > pair.total_bytes.growth
        for each in others
    )


def _heaviest_below(pair: Pair) -> list[Pair]:
    """Return the pair and, below it, each time the one that gained most, while that is a considerable part."""
    found = [pair]
    while found[-1].children:
        child = max(found[-1].children, key=lambda each: each.gained_bytes)
        if child.gained_bytes < CONSIDERABLE * pair.gained_bytes:
            break
        found.append(child)
    return found


def _steps(trail: Sequence[Pair]) -> tuple[str, ...]:
    return joined_steps([pair.label for pair in trail])


def _is_bounded(pair: Pair) -> bool:
    is_library_s = pair.label.partition(".")[0] in sys.stdlib_module_names
    return normal(pair.label) in _BOUNDED or (is_library_s and pair.type_name == "functools._lru_cache_wrapper")


def _is_hash_table(pair: Pair) -> bool:
    """Return whether the bytes are those of a table that is made larger or smaller all at once."""
    return pair.type_name.rpartition(".")[2] in _HASH_TABLES


def _is_unrooted(pair: Pair) -> bool:
    """Return whether no module, thread or interpreter holds it, as far as can be seen: C code does."""
    return pair.trail()[1].label in ("held from outside", "interpreter")


def _comes_with_code(pair: Pair) -> bool:
    """Return whether such objects come with classes and functions, whose constants and caches no object refers to."""
    holder = pair.parent
    return holder is not None and holder.label in ("held from outside", "interpreter") and "." not in pair.type_name


def _code_growth(pairs: Sequence[Pair]) -> float:
    """Return how many times more classes and functions there are after; 1 where there are fewer."""
    before = sum(pair.objects.before for pair in pairs if pair.type_name in ("function", "type"))
    after = sum(pair.objects.after for pair in pairs if pair.type_name in ("function", "type"))
    return max(1.0, after / before) if before else 1.0


def _all_below(pair: Pair) -> list[Pair]:
    found = list(pair.children)
    for each in found:
        found.extend(each.children)
    return found
