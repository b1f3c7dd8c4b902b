"""Dominators and retained sizes: what each node alone keeps alive.

Lengauer, Tarjan: A fast algorithm for finding dominators in a flowgraph, TOPLAS 1 (1979), the simple version: its time
is O(m log n) for every graph, also for one made to be slow. Nothing recurses: a list of a million is a chain so deep.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from heap_exporter.analysis.portable.links import Links

NONE = 0xFFFFFFFF


class DominatorTree(NamedTuple):
    """The dominator tree of all nodes. ``idom`` and ``retained`` are by node.

    ``preorder`` are the nodes such that each is followed by all that it dominates; ``subtree`` is how many nodes are
    dominated by each one, itself included, by its position in ``preorder``.
    """

    idom: array[int]
    retained: array[int]
    preorder: array[int]
    subtree: array[int]

    def retained_by(self, groups: Sequence[int], count: int) -> array[int]:
        """Return the bytes that the objects of each of ``count`` groups retain together.

        An object that another of the same group dominates adds nothing: it is in what the other one retains.
        """
        sums = array("Q", bytes(8 * count))
        ends = array("I", bytes(4 * count))
        objects = len(groups)
        for position, node in enumerate(self.preorder):
            group = groups[node] if node < objects else count
            if group < count and position >= ends[group]:
                ends[group] = position + self.subtree[position]
                sums[group] += self.retained[node]
        return sums


def dominator_tree(links: Links, sizes: Sequence[int], root: int) -> DominatorTree:
    """Return the dominator tree of all nodes from ``root``, which leads to all; nodes without a size have none."""
    search = _search(links, root)
    idom = _idom(search, links.reversed())
    retained = array("Q", sizes)
    retained.extend(array("Q", bytes(8)) * (len(idom) - len(sizes)))
    return _tree(search, idom, retained)


class _Search(NamedTuple):
    """A depth-first search: the nodes as it met them, their numbers in that order, the parents by these numbers."""

    nodes: array[int]
    number: array[int]
    parent: array[int]


def _search(links: Links, root: int) -> _Search:
    found = _Search(array("I"), array("I", [NONE]) * (len(links.offsets) - 1), array("I"))
    pending, parents = array("I", [root]), array("I", [0])
    while pending:
        node, parent = pending.pop(), parents.pop()
        if found.number[node] == NONE:
            number = found.number[node] = len(found.nodes)
            found.nodes.append(node)
            found.parent.append(parent)
            held = links.held_by(node)
            pending.extend(held)
            parents.extend(array("I", [number]) * len(held))
    return found


def _idom(search: _Search, holders: Links) -> array[int]:
    """Return the immediate dominators, all by the numbers of the search."""
    nodes, number, parent = search
    count = len(nodes)
    semi, idom = array("I", range(count)), array("I", bytes(4 * count))
    forest = _Forest(semi)
    waiting, next_waiting = array("I", [NONE]) * count, array("I", [NONE]) * count
    for node in range(count - 1, 0, -1):
        for holder in holders.held_by(nodes[node]):
            before = number[holder]
            found = semi[before if before <= node else forest.least(before)]
            semi[node] = min(semi[node], found)
        next_waiting[node], waiting[semi[node]] = waiting[semi[node]], node
        above = parent[node]
        forest.ancestor[node] = above
        dominated, waiting[above] = waiting[above], NONE
        while dominated != NONE:
            least = forest.least(dominated)
            idom[dominated] = least if semi[least] < above else above
            dominated = next_waiting[dominated]
    for node in range(1, count):
        if idom[node] != semi[node]:
            idom[node] = idom[idom[node]]
    return idom


class _Forest:
    """The nodes done so far, linked to their parents; the paths grow shorter as they are asked for."""

    def __init__(self, semi: array[int]) -> None:
        self._semi = semi
        self.ancestor = array("I", [NONE]) * len(semi)
        self._least = array("I", range(len(semi)))

    def least(self, node: int) -> int:
        """Return the node of least semidominator on the path from below the root of its tree to ``node``."""
        ancestor, least, semi = self.ancestor, self._least, self._semi
        path = []
        above = ancestor[node]
        while ancestor[above] != NONE:
            path.append(node)
            node, above = above, ancestor[above]
        for below in reversed(path):
            best = least[node]
            if semi[best] < semi[least[below]]:
                least[below] = best
            ancestor[below] = above
            node = below
        return least[node]


def _tree(search: _Search, idom: array[int], retained: array[int]) -> DominatorTree:
    """Return the tree by nodes. A node's number is above that of its dominator, so no order is to be searched for."""
    nodes, count = search.nodes, len(search.nodes)
    subtree = array("I", [1]) * count
    for number in range(count - 1, 0, -1):
        retained[nodes[idom[number]]] += retained[nodes[number]]
        subtree[idom[number]] += subtree[number]
    position, room = array("I", bytes(4 * count)), array("I", [1]) * count
    for number in range(1, count):
        position[number] = room[idom[number]]
        room[idom[number]] += subtree[number]
        room[number] += position[number]
    by_node, preorder, sizes = array("I", [NONE]) * count, array("I", nodes), array("I", subtree)
    for number, node in enumerate(nodes):
        by_node[node] = nodes[idom[number]]
        preorder[position[number]] = node
        sizes[position[number]] = subtree[number]
    return DominatorTree(by_node, retained, preorder, sizes)
