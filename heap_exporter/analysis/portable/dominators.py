"""Dominators and retained sizes: the nodes that only one node keeps alive.

Lengauer, Tarjan: A fast algorithm for finding dominators in a flowgraph, TOPLAS 1 (1979), the simple version: its time
is O(m log n) for every graph. Nothing here recurses: a linked list of a million objects is a path of that depth.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from heap_exporter.analysis.portable.links import Links

NONE = 0xFFFFFFFF


class DominatorTree(NamedTuple):
    """The dominator tree of all nodes. ``idom`` and ``retained`` are by node.

    In ``preorder`` the nodes that a node dominates follow it; ``subtree`` is the number of nodes that each node
    dominates, itself included, by its position in ``preorder``.
    """

    idom: array[int]
    retained: array[int]
    preorder: array[int]
    subtree: array[int]

    def retained_by(self, groups: Sequence[int], count: int) -> array[int]:
        """Return the bytes that the dominators in each of ``count`` groups retain together.

        An object that another object of the same group dominates adds nothing: the other one retains it already.
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
    """Return the dominator tree of the graph; ``root`` leads to all nodes. Nodes beyond ``sizes`` have the size 0."""
    search = _search(links, root)
    idom = _idom(search, links.reversed())
    retained = array("Q", sizes)
    retained.extend(array("Q", bytes(8)) * (len(idom) - len(sizes)))
    return _tree(search, idom, retained)


class _Search(NamedTuple):
    """A depth-first search: the nodes in its order, their numbers in this order, their parents by these numbers."""

    nodes: array[int]
    number: array[int]
    parent: array[int]


def _search(links: Links, root: int) -> _Search:
    search = _Search(array("I"), array("I", [NONE]) * (len(links.offsets) - 1), array("I"))
    pending, parents = array("I", [root]), array("I", [0])
    while pending:
        node, parent = pending.pop(), parents.pop()
        if search.number[node] == NONE:
            number = search.number[node] = len(search.nodes)
            search.nodes.append(node)
            search.parent.append(parent)
            held = links.held_by(node)
            pending.extend(held)
            parents.extend(array("I", [number]) * len(held))
    return search


def _idom(search: _Search, holders: Links) -> array[int]:
    """Return the immediate dominators of the nodes, all by the numbers of the search."""
    nodes, number, parent = search
    count = len(nodes)
    semi, idom = array("I", range(count)), array("I", bytes(4 * count))
    forest = _Forest(semi)
    waiting, next_waiting = array("I", [NONE]) * count, array("I", [NONE]) * count
    for node in range(count - 1, 0, -1):
        for holder in holders.held_by(nodes[node]):
            before = number[holder]
            candidate = semi[before if before <= node else forest.least(before)]
            semi[node] = min(semi[node], candidate)
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
    """The finished nodes, linked to their parents; each look-up compresses the path that it follows."""

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
    """Return the dominator tree by nodes. A node's number is above its dominator's, so one pass finds the order."""
    nodes, count = search.nodes, len(search.nodes)
    subtree = array("I", [1]) * count
    for number in range(count - 1, 0, -1):
        retained[nodes[idom[number]]] += retained[nodes[number]]
        subtree[idom[number]] += subtree[number]
    position, next_free = array("I", bytes(4 * count)), array("I", [1]) * count
    for number in range(1, count):
        position[number] = next_free[idom[number]]
        next_free[idom[number]] += subtree[number]
        next_free[number] += position[number]
    by_node, preorder, sizes = array("I", [NONE]) * count, array("I", nodes), array("I", subtree)
    for number, node in enumerate(nodes):
        by_node[node] = nodes[idom[number]]
        preorder[position[number]] = node
        sizes[position[number]] = subtree[number]
    return DominatorTree(by_node, retained, preorder, sizes)
