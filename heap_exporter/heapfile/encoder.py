"""Encodes records as the data blocks of a snapshot; :mod:`heap_exporter.heapfile.format` describes both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from heap_exporter.heapfile.format import (
    COUNT,
    END,
    FIXED_SIZE,
    FRAME,
    LEAF,
    MAX_STRING_BYTES,
    NAME,
    NO_TAIL,
    NODE,
    PLAIN,
    ROOT,
    SHAPE,
    THREAD,
    TYPE,
    VARINT_END,
    WEAK,
    BlockWriter,
)
from heap_exporter.model import Census

PENDING_BYTES = 256 * 1024
"""Encoded bytes that are collected before they are written as a block."""


class GraphEncoder:
    """Encodes the records of a snapshot file and writes them to ``out``.

    Types and shapes are numbered from 0 in the order of the calls. Each method raises ``OSError`` if ``out`` does, and
    ``ValueError`` for a number that is out of range.
    """

    def __init__(self, out: BlockWriter) -> None:
        self._out = out
        self._pending = bytearray()
        self._types = 0
        self._shape_flags: list[int] = []
        self._last_place = 0

    def type(self, name: str, place: int = 0, kind: int = PLAIN) -> int:
        """Write a TYPE record; return the number of the type."""
        self._varints(TYPE)
        self._string(name)
        self._varints(place, kind)
        self._types += 1
        return self._types - 1

    def shape(
        self,
        type_number: int,
        *,
        size_bytes: int | None = None,
        leaf: bool = False,
        weak: bool = False,
        tail: bool = True,
        edge_names: Sequence[str] = (),
        cell_names: Sequence[str] = (),
    ) -> int:
        """Write a SHAPE record, whose nodes all have ``size_bytes`` if given; return the number of the shape."""
        flags = (0 if size_bytes is None else FIXED_SIZE) | LEAF * leaf | WEAK * weak | NO_TAIL * (not tail)
        self._varints(SHAPE, type_number, flags)
        if size_bytes is not None:
            self._varints(size_bytes)
        for names in (edge_names, cell_names):
            self._varints(len(names))
            for name in names:
                self._string(name)
        self._shape_flags.append(flags)
        return len(self._shape_flags) - 1

    def node(self, shape: int, place: int, size_bytes: int, reference_count: int, edges: Sequence[int]) -> None:
        """Write a NODE record: an object and the places of its referents, 0 for an empty reference."""
        self.begin_node(shape, place, size_bytes, reference_count, len(edges))
        self.edges(edges)

    def begin_node(self, shape: int, place: int, size_bytes: int, reference_count: int, edges: int) -> None:
        """Write the begin of a NODE record; calls of :meth:`edges` with exactly ``edges`` edges must follow at once."""
        flags = self._shape_flags[shape]
        self._varints(NODE + shape, _zigzag(place - self._last_place))
        if not flags & FIXED_SIZE:
            self._varints(size_bytes)
        self._varints(reference_count)
        if not flags & LEAF:
            self._varints(edges)
        self._last_place = place
        self._write_if_full()

    def edges(self, targets: Iterable[int]) -> None:
        """Write edges of the current NODE record: the places of their targets, 0 for an empty reference."""
        place, append = self._last_place, self._pending.append
        for target in targets:
            # _varints() and _zigzag() inlined: most of a file is edges.
            delta = target - place
            value = 0 if not target else (delta << 1) + 1 if delta >= 0 else -(delta << 1)
            while value > 127:
                append(value & 127 | 128)
                value >>= 7
            append(value)
        self._write_if_full()

    def name(self, place: int, identifier: str) -> None:
        """Write a NAME record: the identifier that is the value of the ``str`` at ``place``."""
        self._varints(NAME, _zigzag(place - self._last_place))
        self._string(identifier)

    def thread(self, ident: int, native_id: int = 0) -> None:
        """Write a THREAD record; its frames follow."""
        self._varints(THREAD, ident, native_id)

    def frame(self, depth: int, function: str) -> None:
        """Write a FRAME record of the current thread; the innermost has depth 0."""
        self._varints(FRAME, depth)
        self._string(function)

    def root(self, role: int, place: int, name: str = "", *, owned: bool) -> None:
        """Write a ROOT record: a reference to the object at ``place`` from outside the graph."""
        self._varints(ROOT, role, owned)
        self._string(name)
        self._varints(_zigzag(place - self._last_place))

    def count(self, type_number: int, objects: int, size_bytes: int) -> None:
        """Write a COUNT record: a row of a census."""
        self._varints(COUNT, type_number, objects, size_bytes)
        self._write_if_full()

    def end(self) -> None:
        """Write the END record, and all records that are still in memory."""
        self._varints(END)
        self._write()

    def _varints(self, *values: int) -> None:
        append = self._pending.append
        for value in values:
            if not 0 <= value < VARINT_END:
                raise ValueError(f"the number {value} is out of range for a snapshot record")
            while value > 127:
                append(value & 127 | 128)
                value >>= 7  # noqa: PLW2901  # the remaining bits
            append(value)

    def _string(self, text: str) -> None:
        encoded = text.encode("utf-8", "backslashreplace")
        if len(encoded) > MAX_STRING_BYTES:
            encoded = encoded[:MAX_STRING_BYTES].decode("utf-8", "ignore").encode()
        self._varints(len(encoded))
        self._pending += encoded

    def _write_if_full(self) -> None:
        if len(self._pending) >= PENDING_BYTES:
            self._write()

    def _write(self) -> None:
        self._out.write(self._pending)
        self._pending.clear()


def write_census(out: BlockWriter, census: Census) -> None:
    """Write a census as the data of a snapshot file with content "census". Raises ``OSError``."""
    encoder = GraphEncoder(out)
    for row in census.types:
        encoder.count(encoder.type(row.type_name), row.objects, row.bytes)
    encoder.end()


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else ~(number << 1)
