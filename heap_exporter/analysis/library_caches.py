"""Recognises caches of the standard library that stop growing by themselves, in two matched snapshots."""

from __future__ import annotations

import sys

from heap_exporter.analysis.leak_patterns import LRU_CACHE
from heap_exporter.analysis.matching import Pair
from heap_exporter.analysis.results import FULL_NAMES
from heap_exporter.model.paths import StepKind
from heap_exporter.model.runtime_names import VARIABLE_PART, normalised

SMALL_CACHE_ENTRIES = 1024
"""Most caches of the standard library have fewer entries; ``fnmatch`` has up to 32,768."""

_LIMITED = frozenset({("re", "_cache"), ("re", f"_cache{VARIABLE_PART}")})
"""Caches with a limit of their own, by module and normalised name."""


def is_bounded(pair: Pair, more_modules: int) -> bool:
    """Return whether a group is a cache of the standard library that has a limit, or grows only with imported code.

    ``more_modules`` is the number of modules that the process imported between the two snapshots.
    """
    step = normalised(pair.step)
    place = (step.owner_type, step.name)
    if place == ("linecache", "cache"):
        return _more_files(pair) > _more_entries(pair) / 2
    if place == ("sys", "path_importer_cache"):
        return _more_entries(pair) <= more_modules
    is_in_library = step.kind in FULL_NAMES and step.owner_type.partition(".")[0] in sys.stdlib_module_names
    is_small_cache = pair.type_name == LRU_CACHE and _most_entries(pair) <= SMALL_CACHE_ENTRIES
    return place in _LIMITED or (is_in_library and is_small_cache)


def _more_entries(mapping: Pair) -> int:
    """Return how many entries a mapping gained between two snapshots; an interned key may have another path."""
    kinds = (StepKind.DICT_VALUE, StepKind.DICT_KEY)
    return max(sum(each.objects.growth for each in mapping.children if each.step.kind is kind) for kind in kinds)


def _most_entries(cache: Pair) -> int:
    entries = (each.objects.after for each in cache.children if each.step.kind is StepKind.LRU_CACHE_ENTRY)
    return max(entries, default=0)


def _more_files(lines: Pair) -> int:
    """Return how many entries ``linecache`` gained for files: these have a time, generated code has none."""
    values = [each for each in lines.children if each.step.kind is StepKind.DICT_VALUE]
    return sum(each.objects.growth for value in values for each in value.children if each.type_name == "float")
