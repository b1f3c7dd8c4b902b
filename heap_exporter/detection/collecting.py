"""Says whether Python objects that pile up are held, or wait for a collection that does not come."""

from __future__ import annotations

from heap_exporter.detection.field_growth import Rises
from heap_exporter.model import Cause
from heap_exporter.runtime import formatting

OVERDUE_SHARE = 0.3
OVERDUE_OBJECTS = 100_000
"""New objects, and their share of those before, after which a full collection is overdue: with CPython's defaults
(``gc.set_threshold``) it comes once a quarter of the old ones is new and 77,000 containers have been made."""

CONTAINER_SHARE = 0.02
"""Share of the new objects that must be containers if cycles hold them: only these can make cycles."""

UNCOLLECTABLE_SHARE = 0.1
MIN_UNCOLLECTABLE = 100


def collecting(rises: Rises) -> tuple[Cause, tuple[str, ...]]:
    """Return which of the two causes Python objects have, and what the collector's figures say of it."""
    grown = rises.of("n_objects")
    grown = rises.of("allocated_blocks") if grown is None else grown
    stuck = rises.of("uncollectable_objects") or 0.0
    if stuck >= max(MIN_UNCOLLECTABLE, UNCOLLECTABLE_SHARE * (grown or 0.0)):
        words = f"the collector gave up on {formatting.count(stuck)} objects: they are in gc.garbage"
        return Cause.UNCOLLECTED_CYCLES, (words,)
    full = rises.gained("gc_gen2_collections")
    if full:
        return Cause.PYTHON_OBJECTS, (f"full collections ({full:,.0f}) left them: something holds them",)
    if rises.last("gc_enabled") == 0:
        return _while_off(rises, grown)
    first, containers = rises.first("n_objects"), rises.of("gc_pending_objects")
    waiting = grown if containers is None else containers
    if full is None or waiting is None or first is None or waiting < max(OVERDUE_OBJECTS, OVERDUE_SHARE * first):
        return Cause.PYTHON_OBJECTS, ()
    words = f"no full collection came while {formatting.count(waiting)} objects piled up"
    return Cause.UNCOLLECTED_CYCLES, (words,)


def _while_off(rises: Rises, grown: float | None) -> tuple[Cause, tuple[str, ...]]:
    containers = rises.of("gc_pending_objects")
    if containers is not None and grown and containers < CONTAINER_SHARE * grown:
        words = "the collector is off, but what grew are no containers and cannot be cycles: something holds them"
        return Cause.PYTHON_OBJECTS, (words,)
    return Cause.UNCOLLECTED_CYCLES, ("the collector is off (gc.disable()), and nothing collects cycles",)
