"""Heaps built object by object and written as snapshot files, for tests of retainer paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from heap_exporter.heapfile.encoder import GraphEncoder
from heap_exporter.heapfile.format import (
    HELD_BY_INTERPRETER,
    LOCAL,
    MAPPING,
    MODULE,
    PLAIN,
    SEQUENCE,
    SET,
    BlockWriter,
)
from tests.heaps.files import HEADER, write_file

KINDS = {"list": SEQUENCE, "tuple": SEQUENCE, "dict": MAPPING, "set": SET}


@dataclass(eq=False)
class Made:
    """An object. ``named`` are the edges with names, ``rest`` those after them. ``extra`` references come from C."""

    type_name: str
    named: dict[str, Made] = field(default_factory=dict)
    rest: list[Made] = field(default_factory=list)
    size_bytes: int = 64
    extra: int = 0
    text: str = ""
    cells: tuple[str, ...] = ()


def made(type_name: str, *rest: Made, size_bytes: int = 64, extra: int = 0, **named: Made) -> Made:
    """Return an object that refers to others, by name or not."""
    return Made(type_name, named, list(rest), size_bytes, extra)


def dict_of(entries: Mapping[str, Made]) -> Made:
    """Return a dict. Its keys have names in the file only where it is a namespace."""
    return Made("dict", rest=[each for name, value in entries.items() for each in (Made("str", text=name), value)])


def with_dict(type_name: str, **attributes: Made) -> Made:
    """Return an instance whose attributes are in a dict of its own."""
    return made(type_name, __dict__=dict_of(attributes))


def module(**values: Made) -> Made:
    """Return a module with its globals."""
    return with_dict("module", **values)


def function(cells: Mapping[str, Made] = {}, **named: Made) -> Made:
    """Return a function that closes over the given variables."""
    behind = made("tuple", *(made("cell", cell_contents=value) for value in cells.values()))
    return Made("function", {**named, "__closure__": behind}, cells=tuple(cells))


def write(
    path: Path,
    modules: Mapping[str, Made],
    *,
    threads: Mapping[str, Sequence[tuple[str, Mapping[str, Made]]]] = {},
    interpreter: Mapping[str, Made] = {},
    loose: Sequence[Made] = (),
    seed: int = 0,
    minute: float = 0.0,
) -> Path:
    """Write a snapshot of everything reachable from the modules, the local variables of frames, and ``loose``.

    ``threads`` maps names to (function, its variables), innermost first. The ``seed`` determines the addresses.
    """
    roots = [
        *modules.values(),
        *(each for frames in threads.values() for _, found in frames for each in found.values()),
    ]
    objects = _reachable([*roots, *interpreter.values(), *loose])
    random = Random(seed)
    places = dict(
        zip(map(id, objects), random.sample(range(1000, 1000 + 20 * len(objects)), len(objects)), strict=True)
    )

    idents = dict(enumerate(threads, start=random.randrange(1000, 10**6)))

    def fill(out: BlockWriter) -> None:
        encoder = GraphEncoder(out)
        _write_objects(encoder, objects, places, _counts(objects, roots))
        for name, found in modules.items():
            encoder.root(MODULE, places[id(found)], name, owned=False)
        for ident, frames in zip(idents, threads.values(), strict=True):
            encoder.thread(ident)
            for depth, (function_name, variables) in enumerate(frames):
                encoder.frame(depth, function_name)
                for name, found in variables.items():
                    encoder.root(LOCAL, places[id(found)], name, owned=True)
        for name, found in interpreter.items():
            encoder.root(HELD_BY_INTERPRETER, places[id(found)], name, owned=False)
        encoder.end()

    header = replace(HEADER, taken_at=HEADER.taken_at + minute * 60, threads=idents, pid=seed + 1, id=f"{seed}")
    return write_file(path, fill, header)


def _write_objects(
    encoder: GraphEncoder, objects: Sequence[Made], places: dict[int, int], counts: dict[int, int]
) -> None:
    types: dict[str, int] = {}
    shapes: dict[tuple[object, ...], int] = {}
    for each in objects:
        key = (each.type_name, tuple(each.named), each.cells)
        if key not in shapes:
            if each.type_name not in types:
                types[each.type_name] = encoder.type(each.type_name, kind=KINDS.get(each.type_name, PLAIN))
            shapes[key] = encoder.shape(types[each.type_name], edge_names=tuple(each.named), cell_names=each.cells)
        edges = [places[id(target)] for target in (*each.named.values(), *each.rest)]
        encoder.node(shapes[key], places[id(each)], each.size_bytes, counts[id(each)], edges)
        if each.text:
            encoder.name(places[id(each)], each.text)


def _reachable(sources: Sequence[Made]) -> list[Made]:
    found: dict[int, Made] = {}
    todo = list(sources)
    for each in todo:
        if id(each) not in found:
            found[id(each)] = each
            todo += [*each.named.values(), *each.rest]
    return list(found.values())


def _counts(objects: Sequence[Made], roots: Sequence[Made]) -> dict[int, int]:
    counts = {id(each): max(each.extra, 0) for each in objects}
    for each in objects:
        for target in (*each.named.values(), *each.rest):
            counts[id(target)] += 1
    for each in roots:
        counts[id(each)] += 1
    return counts
