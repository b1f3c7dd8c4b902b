"""Chooses the walker for this interpreter."""

from __future__ import annotations

from collections.abc import Callable

from heap_exporter.walker import Walker
from heap_exporter.walker.portable import PortableWalker


def choose_walker(*own_roots: object, given_up: Callable[[], bool] = lambda: False) -> Walker:
    """Return the best walker here.

    ``own_roots`` are objects of ours that are reachable from no module; a walk ends early, with
    :class:`~heap_exporter.errors.WalkGivenUp`, once ``given_up()`` returns true.
    """
    return PortableWalker(own_roots, given_up)
