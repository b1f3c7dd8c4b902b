"""The name of a leak that is the same wherever and whenever it happens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from heap_exporter.analysis.paths import normal

DIGITS = 12


def fingerprint(holder: Iterable[str], type_name: str) -> str:
    """Return 12 hexadecimal digits of what accumulates: of the steps to its holder, and of its type.

    Numbers in the steps do not count: those of threads, and of attributes that are numbered, change from run to run.
    Nor does it whether multiprocessing started the program, whose types are then of a module ``__mp_main__``.
    """
    said = "\n".join([*map(normal, holder), type_name]).replace("__mp_main__", "__main__")
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
