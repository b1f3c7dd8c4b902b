"""Path groups: objects of one type with the same path."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from heap_exporter.analysis.graph import DEEPEST_GROUP, NAMED, NO_TYPE, REFERENT, Holder

FOLD = 4
"""Groups upwards that are compared with a new one: a recursion of this length folds into the group it came from."""


class Groups:
    """The tree of groups. The first groups stand for the holders.

    ``unfolded`` is the label of the dicts behind attributes: the dicts of an object and of its holder never fold.
    ``coroutine`` is the type of coroutines: the objects behind a local variable of a coroutine do not hold it, so tasks
    that wait for one another fold at the second variable of the same name.
    ``function`` has, for a group of closures, the shape of their functions: it has the names of the cells.
    """

    def __init__(self, holders: Sequence[Holder], unfolded: int, coroutine: int) -> None:
        self._unfolded = unfolded
        self._coroutine = coroutine
        self._known: dict[tuple[int, int, int, int | None], int] = {}
        self._depth = array("B")
        self.parent = array("I", [holder.parent for holder in holders])
        self.label = array("I", [REFERENT]) * len(holders)
        self.type = array("I", [NO_TYPE]) * len(holders)
        self.function: list[int | None] = [None] * len(holders)
        for number, holder in enumerate(holders):
            self._depth.append(self._depth[holder.parent] + 1 if number else 0)

    def below(self, group: int, label: int, type_number: int, function: int | None = None) -> int:
        """Return the path group of the objects that ``group`` refers to by a label; a recursion has one group."""
        key = (group, label, type_number, function)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._folded(*key)
        return known

    def _folded(self, group: int, label: int, type_number: int, function: int | None) -> int:
        above, folds_anywhere = group, self._is_local(group, label)
        for _ in range(0 if label == self._unfolded else FOLD):
            if (self.label[above], self.type[above], self.function[above]) == (label, type_number, function):
                return above
            if not folds_anywhere and self._is_local(self.parent[above], self.label[above]):
                break
            above = self.parent[above]
        if self._depth[group] >= DEEPEST_GROUP:
            return group
        self.parent.append(group)
        self.label.append(label)
        self.type.append(type_number)
        self.function.append(function)
        self._depth.append(self._depth[group] + 1)
        return len(self.parent) - 1

    def _is_local(self, group: int, label: int) -> bool:
        return label >= NAMED and self.type[group] == self._coroutine
