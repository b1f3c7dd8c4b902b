"""Objects of every kind that a heap may hold: a walk must find, size and follow them.

A kind is a function from a number to a new object, so that a test can create any number of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.native.sample_objects.data import DATA
from tests.native.sample_objects.instances import INSTANCES
from tests.native.sample_objects.running import RUNNING

KINDS = DATA | INSTANCES | RUNNING


def numpy_kinds() -> dict[str, Callable[[int], Any]]:
    """Return the kinds of arrays that numpy has. Raises ``ImportError`` where it is not installed."""
    import numpy as np

    return {
        "owning array": lambda n: np.zeros(n % 500 + 1),
        "two-dimensional array": lambda n: np.ones((n % 7 + 1, 5), dtype="i4"),
        "view of an array": lambda n: np.zeros(600)[n % 500 :],
        "view of a bytearray": lambda n: np.frombuffer(bytearray(n % 300 + 8), dtype="u1"),
        "transposed array": lambda n: np.zeros((3, n % 9 + 1)).T,
        "array of objects": lambda n: np.array([[n], f"in an array {n}", None], dtype=object),
        "array of records": lambda n: np.zeros(n % 9 + 1, dtype=[("a", "i4"), ("b", "f8")]),
        "numpy scalar": np.float64,
        "data type": lambda n: np.dtype([(f"f{n}", "i4")]),
    }


def plant(kinds: dict[str, Callable[[int], Any]], number: int) -> dict[str, list[Any]]:
    """Return ``number`` objects of each kind."""
    return {name: [make(index) for index in range(number)] for name, make in kinds.items()}
