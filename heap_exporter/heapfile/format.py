r"""The snapshot file, byte by byte. This is version 1; its suffix is ``.heap``.

**Frame.** A file is a stream of blocks, written from start to end without seeking::

    file   := magic  block(header)  block(data)*  block(footer)  tail
    magic  := 89 48 45 41 50 0d 0a 1a                 "\x89HEAP\r\n\x1a"
    block  := u32le length (1 … 2**20)  u32le crc  payload
    tail   := u32le length of the footer's payload  "HEAP"

``crc`` is ``zlib.crc32(payload, crc of the previous block)``; the first block starts from ``zlib.crc32(magic)``. So a
reader detects a block that is altered, missing, repeated or moved. The tail gives the position of the footer.

**Header and footer** are one JSON object each, in ASCII with escapes, of at most 16 KiB and 4 KiB::

    {"format": "heap-exporter", "version": 1, "content": "graph", "keys": false, "id": "20261122T070000Z-4711-a3f0",
     "taken_at": 1795330800.25, "reason": "curl", "walker": "native", "pid": 4711, "uptime_seconds": 86400.0,
     "python_version": "3.13.0", "implementation": "cpython", "threads": {"140013": "MainThread"},
     "predicted_bytes": 130000000, "note": "", "private_bytes": 610000000, "allocated_bytes": 560000000,
     "service": "shop", "allocations": {"started_at": 1795330200.5, "lines": [{"file": "shop/sessions.py", "line": 41,
     "function": "create", "bytes": 15500000, "plus_minus_bytes": 2800000, "objects": 3000, "caller": null}]},
     "lost": null}
    {"objects": 8012331, "references": 20441002, "duration_seconds": 1.61, "pause_seconds": 0.02, "cpu_seconds": 1.58}

``content`` is "graph" or "census". ``keys`` is true if the keys of plain dicts are named, too. ``taken_at`` is in Unix
seconds. ``uptime_seconds`` is null if unknown. ``threads`` maps thread idents to names. ``predicted_bytes`` is the
predicted size of the file, or null. In a census ``note`` is the reason why it is not a graph. ``private_bytes`` is
the private memory that the process used when the snapshot was taken, ``allocated_bytes`` the memory that its allocators
had in use; null if unknown. The two include memory that belongs to no object. ``service`` is the name of the service;
older releases did not write it. ``allocations`` is null while allocations are not sampled; else it has the lines of
code that allocated most of what is not freed, of all that was allocated since sampling began: estimates with two
standard errors, and the line of the application that called a library. ``lost`` is the memory that no pointer leads to,
in groups by type or size, or null if it was not searched for. Readers ignore unknown members.

**Numbers, strings, places.** A *varint* is unsigned LEB128: seven bits per byte, lowest first, all bytes but the last
with the high bit set; at most 10 bytes, less than 2**64. *zigzag* is a signed number ``n`` as the varint
``(n << 1) ^ (n >> 63)``. A *string* is a varint of its length in bytes (at most 4096) and that many bytes of UTF-8. An
object's *place* is its address divided by 16. It is unique, because no object is smaller, and less than 2**60.

**Records.** The payloads of the data blocks, joined, are a stream of records; a record may span blocks. Each
begins with a varint ``k``:

======  =====  =========================================================================================================
``k``   name   what follows
======  =====  =========================================================================================================
0       END    nothing: the stream ends here, at the end of its block. The footer's block follows.
1       TYPE   string name, varint place of the class (0: unknown), varint kind (0 plain, 1 sequence, 2 mapping, 3 set).
               Types are numbered from 0 as they appear.
2       SHAPE  varint number of its type, varint flags, [varint size in bytes, if FIXED_SIZE], varint n, n strings,
               varint m, m strings; n and m are at most 65536. Shapes are numbered from 0 as they appear.
3       NAME   zigzag (place − place of the last node), string: the value of a ``str`` object that is an identifier. May
               come before or after the node of that object.
4       THREAD varint ident, varint native id (0: unknown): the FRAMEs that follow belong to this thread.
5       FRAME  varint depth (0: innermost), string "module.qualname" of the function.
6       ROOT   varint role, varint owned, string name ("": none), zigzag (place − place of the last node).
7       COUNT  varint number of its type, varint objects, varint bytes: a row of a census.
≥ 8     NODE   an object of shape ``k − 8``: zigzag (place − place of the last node), [varint size in bytes, unless
               FIXED_SIZE], varint reference count (0: immortal), [unless LEAF: varint number of edges, edges].
======  =====  =========================================================================================================

Before the first node, the place of the last node is 0. A TYPE and a SHAPE come before their first use, threads and
roots come last, everything else in any order.

An *edge* is a varint: 0 for an empty reference, else 1 + zigzag (place of the target − place of this node). The
target's node may come later, or be missing if the object was created or freed during a portable walk.

A *shape* is the layout of its nodes. Its flags:

- 1 FIXED_SIZE: every node has the size in the shape.
- 2 LEAF: the nodes have no edges.
- 4 WEAK: the first edge of each node is a weak reference.
- 8 NO_TAIL: the edges have no roles as items, keys or values, whatever the kind of the type.

Its first n strings name the first n edges in order; an empty string means no name. The edges after these are the tail:
item 0, 1, 2 … of a sequence; key, value, key, value … of a mapping; plain referents otherwise and with NO_TAIL. The m
strings name the cells of a function's closure: the items of the tuple that is the target of the edge ``__closure__``.
In a shape of generators, coroutines or asynchronous generators, the first of the m strings is the qualified name of
their function.

A *root* is a reference from outside the graph: with role 0 from the table of modules, 1 from a local variable of the
last FRAME, 2 from another field of the last FRAME, 3 from the interpreter. ``owned`` is 1 if the object's reference
count includes the reference and no edge of the graph represents it, else 0.

**Contents.** Names of types, functions and threads, and of the attributes of modules, classes and instances (with
``keys`` the keys of other dicts, too). Never a value, the contents of a string, or a ``repr``.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from heap_exporter.errors import SnapshotFileError
from heap_exporter.heapfile.header import Footer, Header, footer_payload, header_payload, parse_footer, parse_header

__all__ = [
    "SUFFIX",
    "BlockReader",
    "BlockWriter",
    "Footer",
    "Header",
    "footer_of",
    "open_snapshot",
    "read_footer",
    "read_header",
]

SUFFIX = ".heap"
MAGIC = b"\x89HEAP\r\n\x1a"
TAIL_MARK = b"HEAP"
MAX_BLOCK_BYTES = 2**20
MAX_HEADER_BYTES = 16 * 1024
MAX_FOOTER_BYTES = 4 * 1024
MAX_STRING_BYTES = 4096
MAX_NAMES = 65536

VARINT_END = 2**64
PLACE_END = 2**60
PLACE_SHIFT = 4
"""An object's place is its address shifted right by this."""

END, TYPE, SHAPE, NAME, THREAD, FRAME, ROOT, COUNT, NODE = range(9)
PLAIN, SEQUENCE, MAPPING, SET = range(4)
FIXED_SIZE, LEAF, WEAK, NO_TAIL = 1, 2, 4, 8
MODULE, LOCAL, HELD_BY_FRAME, HELD_BY_INTERPRETER = range(4)

BLOCK_HEAD = struct.Struct("<II")
_TAIL = struct.Struct("<I4s")


class BlockWriter:
    """Writes the blocks of one snapshot file to the descriptor ``fd``, which stays the caller's.

    ``crc`` is that of the last block, ``bytes`` how many were written: a caller that writes blocks to ``fd``
    itself must update both. Every method may raise ``OSError``.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.crc = zlib.crc32(MAGIC)
        self.bytes = 0

    def header(self, header: Header) -> None:
        """Write the begin of a snapshot file: magic bytes and header, without threads that do not fit into it."""
        self._write_through(MAGIC)
        payload = header_payload(header)
        while len(payload) > MAX_HEADER_BYTES and header.threads:
            kept = dict(list(header.threads.items())[: len(header.threads) // 2])
            header = replace(header, threads=kept)
            payload = header_payload(header)
        self.write(payload)

    def write(self, payload: bytes | bytearray) -> None:
        """Write a payload of any length as data blocks of the snapshot file."""
        with memoryview(payload) as whole:
            for begin in range(0, len(whole), MAX_BLOCK_BYTES):
                piece = whole[begin : begin + MAX_BLOCK_BYTES]
                self.crc = zlib.crc32(piece, self.crc)
                self._write_through(BLOCK_HEAD.pack(len(piece), self.crc))
                self._write_through(piece)
                piece.release()

    def footer(self, footer: Footer) -> None:
        """Write the end of a snapshot file: footer and tail, after all data."""
        payload = footer_payload(footer)
        self.write(payload)
        self._write_through(_TAIL.pack(len(payload), TAIL_MARK))

    def _write_through(self, data: bytes | memoryview) -> None:
        with memoryview(data) as rest:
            written = 0
            while written < len(rest):
                written += os.write(self.fd, rest[written:])
        self.bytes += written


class BlockReader:
    """Reads and verifies the blocks of a snapshot file one after the other; errors name ``path``.

    Every method raises :class:`SnapshotFileError`.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._crc = zlib.crc32(MAGIC)

    def header(self) -> Header:
        """Return the header of the snapshot file; it is read before any block."""
        magic = self._read_up_to(len(MAGIC))
        if magic != MAGIC:
            is_cut = MAGIC.startswith(magic)
            raise self.fault(
                "it is not a heap-exporter snapshot" if not is_cut else "it is truncated" if magic else "it is empty"
            )
        return parse_header(self._path, self.block(MAX_HEADER_BYTES))

    def block(self, max_bytes: int = MAX_BLOCK_BYTES) -> bytes:
        """Return the payload of the next block of the snapshot file."""
        length, crc = BLOCK_HEAD.unpack(self._read(BLOCK_HEAD.size))
        if not 0 < length <= max_bytes:
            raise self.fault(f"it is damaged: a block has the invalid length of {length} bytes")
        payload = self._read(length)
        self._crc = zlib.crc32(payload, self._crc)
        if self._crc != crc:
            raise self.fault("it is damaged: the checksum of a block does not match")
        return payload

    def footer(self) -> Footer:
        """Return the footer of the snapshot file, after all data, and check that the file ends there."""
        payload = self.block(MAX_FOOTER_BYTES)
        if _TAIL.unpack(self._read(_TAIL.size)) != (len(payload), TAIL_MARK):
            raise self.fault("it is damaged: its last bytes do not match its footer")
        if self._read_up_to(1):
            raise self.fault("it is damaged: data follows its end")
        return parse_footer(self._path, payload)

    def fault(self, problem: str) -> SnapshotFileError:
        """Return an error about this snapshot file."""
        return SnapshotFileError(self._path, problem)

    def _read(self, length: int) -> bytes:
        data = self._read_up_to(length)
        if len(data) < length:
            raise self.fault("it is truncated")
        return data

    def _read_up_to(self, length: int) -> bytes:
        try:
            return self._file.read(length)
        except OSError as error:
            raise self.fault(error.strerror or str(error)) from error


def open_snapshot(path: Path) -> BinaryIO:
    """Return a snapshot file, open for reading. Raises ``OSError``.

    Raises :class:`SnapshotFileError` for a pipe or a device: reading, or even opening one, could block forever.
    """
    file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 - the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise SnapshotFileError(path, "it is not a regular file")
    return file


def _open_at_once(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NONBLOCK)


def read_header(path: Path) -> Header:
    """Return the header of a snapshot file without reading its data. Raises :class:`SnapshotFileError`."""
    try:
        with open_snapshot(path) as file:
            return BlockReader(file, path).header()
    except OSError as error:
        raise SnapshotFileError(path, error.strerror or str(error)) from error


def read_footer(path: Path) -> Footer:
    """Return the footer of a snapshot file, as :func:`footer_of` does. Raises :class:`SnapshotFileError`."""
    try:
        with open_snapshot(path) as file:
            return footer_of(file, path)
    except OSError as error:
        raise SnapshotFileError(path, error.strerror or str(error)) from error


def footer_of(file: BinaryIO, path: Path) -> Footer:
    """Return the footer of an open snapshot file, read from its end. Raises :class:`SnapshotFileError`, ``OSError``.

    It is not verified: its checksum depends on all blocks before it.
    """
    file.seek(-min(os.fstat(file.fileno()).st_size, MAX_FOOTER_BYTES + BLOCK_HEAD.size + _TAIL.size), os.SEEK_END)
    end = file.read()
    length, mark = _TAIL.unpack(end[-_TAIL.size :]) if len(end) >= _TAIL.size else (0, b"")
    begin = len(end) - _TAIL.size - length - BLOCK_HEAD.size
    if mark != TAIL_MARK or begin < 0:
        raise SnapshotFileError(path, "it is truncated")
    claimed, _crc = BLOCK_HEAD.unpack_from(end, begin)
    if claimed != length:
        raise SnapshotFileError(path, "it is damaged: its last bytes do not match its footer")
    return parse_footer(path, end[begin + BLOCK_HEAD.size : -_TAIL.size])
