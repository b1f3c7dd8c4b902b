"""Names that a program makes at run time: they differ in their numbers only, and change from run to run."""

from __future__ import annotations

import re
from functools import lru_cache

from heap_exporter.model.paths import Step

_DIGITS = re.compile(r"[0-9]+")

CACHED_NAMES = 65_536


def normalised(step: Step) -> Step:
    """Return a step of a retainer path with ``N`` for each number: ``session_17`` and ``session_4`` are one family."""
    owner_type, name = without_numbers(step.owner_type), without_numbers(step.name)
    return step if (owner_type, name) == step[1:] else Step(step.kind, owner_type, name)


@lru_cache(maxsize=CACHED_NAMES)
def without_numbers(name: str) -> str:
    """Return a name in a retainer path with ``N`` in place of each number, so that two snapshots match."""
    return _DIGITS.sub("N", name)
