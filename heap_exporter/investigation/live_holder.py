"""The number of entries of a suspected holder, looked up in the running process."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from typing import Any, NamedTuple

from heap_exporter.investigation.live_paths import CONTAINERS, LRU_CACHE, length, live_trails
from heap_exporter.model import RetainerPath, Step


class LiveHolder(NamedTuple):
    """The number of entries of a suspected holder in the running process; ``step`` is the last one to it."""

    type_name: str
    step: Step
    entries: int


def live_holder(holder: RetainerPath, modules: Mapping[str, types.ModuleType] | None = None) -> LiveHolder | None:
    """Return a suspected holder as it is now, ``None`` if its path cannot be followed."""
    trails = live_trails(holder, sys.modules if modules is None else modules)
    places = [trail[-1] for trail in trails if len(trail) == len(holder)]
    if not places or not all(isinstance(place, CONTAINERS) or type(place) is LRU_CACHE for place, _ in places):
        return None
    entries = sum(_entries(place) for place, _ in places)
    place, step = places[0]
    return LiveHolder(type(place).__qualname__, step, entries)


def _entries(place: Any) -> int:
    if type(place) is LRU_CACHE:
        return int(place.cache_info().currsize)
    return length(place)
