"""The graph as a ``.heapsnapshot``: for the memory panel of Chrome DevTools, and for memlab.

The holders come first, as synthetic nodes, with the root as the first. Then come the objects by address, as nodes of
type "object". Each has the name of its Python type, which DevTools shows as its class. A weak reference is a weak
edge, an item of a sequence an element edge; every other edge has a name. No name is a value.

The file is one JSON object. Its members must be in this order, DevTools needs both counts, and numbers must be below
2**32, so a larger size is clipped. Format:
https://developer.chrome.com/docs/devtools/memory-problems/heap-snapshot-schema
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, compress, pairwise
from operator import sub
from pathlib import Path
from typing import TextIO

from heap_exporter.analysis.graph import EMPTY, ITEM, KEY, NAMED, REFERENT, VALUE, WEAK, Graph
from heap_exporter.analysis.results import Heap, ProgressCallback, ignore_progress
from heap_exporter.report.snapshot_ids import holder_ids, object_ids

SUFFIX = ".heapsnapshot"

NODE_FIELDS = ("type", "name", "id", "self_size", "edge_count")
NODE_TYPES = (
    "hidden", "array", "string", "object", "code", "closure", "regexp", "number", "native", "synthetic",
    "concatenated string", "sliced string", "symbol", "bigint",
)  # fmt: skip  # a list
EDGE_FIELDS = ("type", "name_or_index", "to_node")
EDGE_TYPES = ("context", "element", "property", "internal", "hidden", "shortcut", "weak")

_OBJECT, _SYNTHETIC = NODE_TYPES.index("object"), NODE_TYPES.index("synthetic")
_PROPERTY, _INTERNAL = EDGE_TYPES.index("property"), EDGE_TYPES.index("internal")
_EDGE_TYPE = {ITEM: EDGE_TYPES.index("element"), WEAK: EDGE_TYPES.index("weak")}
_TYPE_OF_UNNAMED = [_EDGE_TYPE.get(label, _INTERNAL) for label in range(NAMED)]
_NAME_OF_UNNAMED = {REFERENT: "referent", ITEM: "item", KEY: "key", VALUE: "value", WEAK: "weak reference"}

_LARGEST = (1 << 32) - 1
_AT_ONCE = 1 << 18
"""Nodes, or edge slots, that are converted to text at once."""


def write(graph: Graph, heap: Heap, target: Path, progress: ProgressCallback = ignore_progress) -> None:  # noqa: ARG001 - all formats have the same arguments
    """Write the snapshot's graph as a ``.heapsnapshot`` for DevTools to the file ``target``. May raise ``OSError``."""
    with target.open("w", encoding="utf-8", newline="\n") as out:
        roots = _holder_edges(graph)
        edges = graph.references + sum(map(len, roots)) // len(EDGE_FIELDS)
        out.write('{"snapshot":' + json.dumps(_description(len(graph.holders) + graph.objects, edges)))
        out.write(',\n"nodes":[')
        _write_numbers(out, _holder_nodes(graph, roots), _object_nodes(graph, progress))
        out.write('],\n"edges":[')
        _write_numbers(out, [number for numbers in roots for number in numbers], _object_edges(graph, progress))
        out.write('],\n"strings":' + json.dumps(_strings(graph), separators=(",\n", ":")) + "}\n")


def _description(nodes: int, edges: int) -> dict[str, object]:
    meta = {
        "node_fields": NODE_FIELDS,
        "node_types": [NODE_TYPES, "string", "number", "number", "number"],
        "edge_fields": EDGE_FIELDS,
        "edge_types": [EDGE_TYPES, "string_or_number", "node"],
    }
    return {"meta": meta, "node_count": nodes, "edge_count": edges}


def _strings(graph: Graph) -> list[str]:
    """Return the string table of a ``.heapsnapshot``: names of edges, by label, then types and holders."""
    unnamed = [_NAME_OF_UNNAMED.get(label, "") for label in range(NAMED)]
    holders = [holder.name or f"({holder.kind})" for holder in graph.holders]
    return [*unnamed, *graph.strings, *graph.types, *holders]


def _write_numbers(out: TextIO, first: list[int], others: Iterable[list[int]]) -> None:
    out.write(_text(first))
    for numbers in others:
        if numbers:
            out.write(",\n" + _text(numbers))


def _text(numbers: list[int]) -> str:
    return str(numbers)[1:-1].replace(" ", "")


def _holder_nodes(graph: Graph, roots: list[list[int]]) -> list[int]:
    first_name = NAMED + len(graph.strings) + len(graph.types)
    numbers = []
    for holder, identity in enumerate(holder_ids(graph.holders)):
        edges = len(roots[holder]) // len(EDGE_FIELDS)
        numbers += [_SYNTHETIC, first_name + holder, identity, 0, edges]
    return numbers


def _holder_edges(graph: Graph) -> list[list[int]]:
    """Return the ``.heapsnapshot`` edges of each holder: first to the holders below it, then to objects."""
    first_name = NAMED + len(graph.strings) + len(graph.types)
    edges: list[list[int]] = [[] for _ in graph.holders]
    for number, holder in enumerate(graph.holders[1:], 1):
        edges[holder.parent] += [_PROPERTY, first_name + number, number * len(NODE_FIELDS)]
    for number, target, label in graph.root_edges:
        kind = _PROPERTY if label >= NAMED else _INTERNAL
        edges[number] += [kind, label, (len(graph.holders) + target) * len(NODE_FIELDS)]
    return edges


def _object_nodes(graph: Graph, progress: ProgressCallback) -> Iterator[list[int]]:
    first_name = NAMED + len(graph.strings)
    ids = object_ids(graph.places(), {0, *holder_ids(graph.holders)})
    known = _known_before(graph)
    type_of = graph.type_of
    for begin, end in _pieces(graph.objects, "writing nodes", progress):
        numbers = [_OBJECT] * ((end - begin) * len(NODE_FIELDS))
        sizes = graph.size[begin:end]
        numbers[1::5] = map(first_name.__add__, type_of[begin:end])
        numbers[2::5] = ids[begin:end]
        numbers[3::5] = sizes if max(sizes) <= _LARGEST else (min(size, _LARGEST) for size in sizes)
        numbers[4::5] = map(sub, known[begin + 1 : end + 1], known[begin:end])
        yield numbers


def _known_before(graph: Graph) -> array[int]:
    """Return the number of ``.heapsnapshot`` edges before those of each object, and the total at the end."""
    known, before = array("I"), 0
    offsets = graph.offsets
    for begin, end in _pieces(len(graph.targets), "", ignore_progress):
        counts = list(accumulate(map(EMPTY.__ne__, graph.targets[begin:end]), initial=before))
        before = counts[-1]
        until = bisect_left(offsets, end, len(known))
        known.extend([counts[offset - begin] for offset in offsets[len(known) : until]])
    known.extend([before] * (graph.objects + 1 - len(known)))
    return known


def _object_edges(graph: Graph, progress: ProgressCallback) -> Iterator[list[int]]:
    labels = graph.labels()
    first = len(graph.holders)
    kinds = [*_TYPE_OF_UNNAMED, *[_PROPERTY] * len(graph.strings)]
    for begin, end in _pieces(len(graph.targets), "writing edges", progress):
        targets = list(graph.targets[begin:end])
        names = list(labels[begin:end])
        types = list(map(kinds.__getitem__, names))
        _number_items(names, graph.offsets, labels, begin)
        if EMPTY in targets:
            known = list(map(EMPTY.__ne__, targets))
            targets, names, types = (list(compress(column, known)) for column in (targets, names, types))
        numbers = [0] * (len(targets) * len(EDGE_FIELDS))
        numbers[0::3] = types
        numbers[1::3] = names
        numbers[2::3] = [(first + target) * len(NODE_FIELDS) for target in targets]
        yield numbers


def _number_items(names: list[int], offsets: Sequence[int], labels: Sequence[int], begin: int) -> None:
    """Replace ``.heapsnapshot`` names of item edges from slot ``begin`` on with the index in the sequence."""
    end = begin + len(names)
    first = bisect_right(offsets, begin) - 1
    for low, high in pairwise(offsets[first : bisect_left(offsets, end) + 1]):
        if low < high and labels[high - 1] == ITEM:
            item = next(slot for slot in range(low, high) if labels[slot] == ITEM)
            start, stop = max(item, begin), min(high, end)
            names[start - begin : stop - begin] = range(start - item, stop - item)


def _pieces(length: int, stage: str, progress: ProgressCallback) -> Iterator[tuple[int, int]]:
    for begin in range(0, length, _AT_ONCE):
        end = min(begin + _AT_ONCE, length)
        yield begin, end
        progress(stage, end / length)
