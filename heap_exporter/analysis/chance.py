"""Growth by chance: the number of short-lived objects varies from one snapshot to the next."""

from __future__ import annotations

import math

CHANCE_OBJECTS = 10
CHANCE_DEVIATIONS = 3.0
"""Growth by chance: ten objects and three times the square root of the number, by which short-lived objects vary."""

HEAVY_OBJECTS = 3
"""This many new objects are enough if they are heavy.

A leak of heavy objects adds only a few between two snapshots, even if there are many already.
"""

HEAVY_GROWTH_BYTES = 1024 * 1024
"""Minimum growth of heavy objects together, if it is also a considerable share of the heap's growth."""

HEAVY_NATIVE_BYTES_EACH = 256 * 1024
"""Minimum native memory for each heavy object."""


def exceeds_chance(gained_objects: float, objects_before: float) -> bool:
    """Return whether more objects were gained than the number before explains."""
    return gained_objects > CHANCE_OBJECTS + CHANCE_DEVIATIONS * math.sqrt(objects_before)
