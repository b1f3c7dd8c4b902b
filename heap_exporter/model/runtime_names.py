"""Names that a program makes at run time: they differ in numbers and hexadecimal digits, and change from run to run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from heap_exporter.model.paths import Step

VARIABLE_PART = "…"
"""Replaces the part in which the names of a family differ: ``Payload_…``."""

MIN_FAMILY = 20
"""Minimum number of names in a family that counts as one type or attribute: ``Vector2`` and ``Vector3`` stay two."""

CACHED_NAMES = 65_536

_DIGIT = re.compile("[0-9]")
_HEX = "[0-9a-fA-F]"
_VARIABLE = re.compile(
    "|".join(
        (
            f"{_HEX}{{8}}(?:[-_]{_HEX}{{4}}){{3}}[-_]{_HEX}{{12}}",  # a UUID
            f"{_HEX}{{16,}}",  # a hash
            f"0[xX]{_HEX}+",  # an address
            f"(?<![0-9a-zA-Z]){_HEX}{{4,}}(?![0-9a-zA-Z])",  # a token between separators
            "[0-9]+",
        )
    )
)


def normalised(step: Step) -> Step:
    """Return a step of a retainer path with the families of its names: ``session_17`` and ``session_4`` are one."""
    owner_type, name = family_of(step.owner_type), family_of(step.name)
    return step if (owner_type, name) == step[1:] else Step(step.kind, owner_type, name)


@lru_cache(maxsize=CACHED_NAMES)
def family_of(name: str) -> str:
    """Return a name with ``…`` in place of each number, hash, UUID and hexadecimal token: the same in every run."""
    return _VARIABLE.sub(_replaced, name) if _DIGIT.search(name) else name


def merged_names(names: Sequence[str]) -> list[str]:
    """Return the family of each of a snapshot's distinct names if the family is large, else the name itself."""
    known: dict[str, str] = {}  # one text for each family: there may be a million names
    families = [known.setdefault(family, family) for family in map(family_of.__wrapped__, names)]
    sizes = Counter(families)
    return [family if sizes[family] >= MIN_FAMILY else name for name, family in zip(names, families, strict=True)]


def _replaced(found: re.Match[str]) -> str:
    """Return the replacement of a part of a retainer path's name; words such as ``facade`` are not tokens."""
    return VARIABLE_PART if _DIGIT.search(found[0]) else found[0]
