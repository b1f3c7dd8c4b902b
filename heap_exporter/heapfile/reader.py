"""Reads the records of a snapshot one after the other; each block is verified before its records are used.

A file is untrusted: it may be damaged or malicious. So memory is allocated for data that exists, never for a length
that the file states, and every fault is a :class:`SnapshotFileError`. At any time the memory contains one block, the
types and shapes so far, and the edges of one node.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from types import TracebackType

from heap_exporter.errors import SnapshotFileError
from heap_exporter.heapfile.format import (
    COUNT,
    END,
    FIXED_SIZE,
    FRAME,
    HELD_BY_INTERPRETER,
    LEAF,
    MAX_NAMES,
    MAX_STRING_BYTES,
    NAME,
    NODE,
    PLACE_END,
    ROOT,
    SET,
    SHAPE,
    THREAD,
    TYPE,
    VARINT_END,
    BlockReader,
    open_snapshot,
)
from heap_exporter.heapfile.header import Footer
from heap_exporter.heapfile.records import (
    CountRecord,
    FrameRecord,
    NameRecord,
    NodeRecord,
    Record,
    RootRecord,
    ShapeRecord,
    ThreadRecord,
    TypeRecord,
)


class SnapshotReader:
    """A snapshot file that is open for reading: ``header`` at once, then :meth:`records`, then :attr:`footer`.

    Every method raises :class:`SnapshotFileError` if the file is not a snapshot, is truncated or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = open_snapshot(path)
        except OSError as error:
            raise SnapshotFileError(path, error.strerror or str(error)) from error
        self._blocks = BlockReader(self._file, path)
        self._footer: Footer | None = None
        self._ended = False
        self._bytes = chain.from_iterable(self._data())
        self._types: list[TypeRecord] = []
        self._shapes: list[ShapeRecord] = []
        self._last_place = 0
        try:
            self.header = self._blocks.header()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> SnapshotReader:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def footer(self) -> Footer:
        """Return the footer of the snapshot file. Raises ``ValueError`` before all records are read."""
        if self._footer is None:
            raise ValueError("the footer of a snapshot file can be read only after all its records")
        return self._footer

    def records(self) -> Iterator[Record]:
        """Yield the records once, in the order of the snapshot file; after the last one the footer is verified."""
        others: dict[int, Callable[[], Record]] = {
            TYPE: self._type, SHAPE: self._shape, NAME: self._name, THREAD: self._thread, FRAME: self._frame,
            ROOT: self._root, COUNT: self._count,
        }  # fmt: skip  # a table
        while (kind := self._varint()) != END:
            yield self._node(kind - NODE) if kind >= NODE else others[kind]()
        self._ended = True
        if next(self._bytes, None) is not None:
            raise self._damaged("something follows the last record")
        self._footer = self._blocks.footer()

    def _data(self) -> Iterator[bytes]:
        while not self._ended:
            yield self._blocks.block()

    def _type(self) -> TypeRecord:
        record = TypeRecord(len(self._types), self._string(), self._varint(), self._limited(SET + 1, "type kind"))
        if record.place >= PLACE_END:
            raise self._damaged("a place is out of range")
        self._types.append(record)
        return record

    def _shape(self) -> ShapeRecord:
        type_record = self._type_at(self._varint())
        flags = self._limited(16, "value of the shape flags")
        record = ShapeRecord(
            len(self._shapes),
            type_record,
            flags,
            self._varint() if flags & FIXED_SIZE else None,
            self._names(),
            self._names(),
        )
        self._shapes.append(record)
        return record

    def _names(self) -> tuple[str, ...]:
        return tuple([self._string() for _ in range(self._limited(MAX_NAMES + 1, "number of names"))])

    def _name(self) -> NameRecord:
        return NameRecord(self._place(), self._string())

    def _thread(self) -> ThreadRecord:
        return ThreadRecord(self._varint(), self._varint())

    def _frame(self) -> FrameRecord:
        return FrameRecord(self._varint(), self._string())

    def _root(self) -> RootRecord:
        role, owned = self._limited(HELD_BY_INTERPRETER + 1, "root role"), bool(self._limited(2, "root flag"))
        return RootRecord(role, owned, self._string(), self._place())

    def _count(self) -> CountRecord:
        return CountRecord(self._type_at(self._varint()), self._varint(), self._varint())

    def _node(self, index: int) -> NodeRecord:
        if index >= len(self._shapes):
            raise self._damaged(f"an object has shape {index}, but only {len(self._shapes)} shapes were defined")
        shape = self._shapes[index]
        place = self._last_place = self._place()
        size_bytes = self._varint() if shape.size_bytes is None else shape.size_bytes
        reference_count = self._varint()
        edges = array("Q") if shape.flags & LEAF else self._edges(place, self._varint())
        return NodeRecord(place, shape, size_bytes, reference_count, edges)

    def _edges(self, place: int, count: int) -> array[int]:
        """Return ``count`` edges of the NODE record at ``place``; :meth:`_varint` is inlined here."""
        edges = array("Q")
        if not count:
            return edges
        value = shift = 0
        try:
            for byte in self._bytes:
                value |= (byte & 127) << shift
                if byte > 127:
                    shift += 7
                    if shift > 63:
                        raise self._damaged("a number is too long")
                    continue
                edges.append(place + (-(value >> 1) if not value & 1 else value >> 1) if value else 0)
                if len(edges) == count:
                    break
                value = shift = 0
            else:
                raise self._truncated()
        except OverflowError as error:
            raise self._damaged("a place is out of range") from error
        if max(edges) >= PLACE_END:
            raise self._damaged("a place is out of range")
        return edges

    def _varint(self) -> int:
        value = shift = 0
        for byte in self._bytes:
            value |= (byte & 127) << shift
            if byte < 128:
                if value >= VARINT_END:
                    break
                return value
            shift += 7
            if shift > 63:
                break
        else:
            raise self._truncated()
        raise self._damaged("a number is too long")

    def _limited(self, limit: int, what: str) -> int:
        value = self._varint()
        if value >= limit:
            raise self._damaged(f"the {what} is out of range ({value})")
        return value

    def _place(self) -> int:
        value = self._varint()
        place = self._last_place + ((value >> 1) ^ -(value & 1))
        if not 0 < place < PLACE_END:
            raise self._damaged("a place is out of range")
        return place

    def _string(self) -> str:
        length = self._limited(MAX_STRING_BYTES + 1, "string length")
        encoded = bytes(islice(self._bytes, length))
        if len(encoded) < length:
            raise self._truncated()
        try:
            return encoded.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self._damaged("a string is not UTF-8") from error

    def _type_at(self, index: int) -> TypeRecord:
        if index >= len(self._types):
            raise self._damaged(f"a record has type {index}, but only {len(self._types)} types were defined")
        return self._types[index]

    def _damaged(self, problem: str) -> SnapshotFileError:
        return self._blocks.fault(f"it is damaged: {problem}")

    def _truncated(self) -> SnapshotFileError:
        return self._blocks.fault("it is truncated")
