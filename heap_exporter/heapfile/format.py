r"""The snapshot file, byte by byte. This is version 1; its suffix is ``.heap``.

**Frame.** A file is a stream of blocks, written from front to back and never sought in::

    file   := magic  block(header)  block(data)*  block(footer)  tail
    magic  := 89 48 45 41 50 0d 0a 1a                 "\x89HEAP\r\n\x1a"
    block  := u32le length (1 … 2**20)  u32le crc  payload
    tail   := u32le length of the footer's payload  "HEAP"

``crc`` is ``zlib.crc32(payload, crc of the block before)``; the first block's starts from ``zlib.crc32(magic)``. So a
block altered, lost, repeated or moved shows at once. The tail lets a listing find the footer from the end of the file.

**Header and footer** are one JSON object each, in UTF-8 with all but ASCII escaped, of at most 16 KiB and 4 KiB::

    {"format": "heap-exporter", "version": 1, "content": "graph", "keys": false, "id": "20261122T070000Z-4711-a3f0",
     "taken_at": 1795330800.25, "reason": "curl", "walker": "native", "pid": 4711, "uptime_seconds": 86400.0,
     "python_version": "3.13.0", "implementation": "cpython", "threads": {"140013": "MainThread"},
     "predicted_bytes": 130000000, "note": ""}
    {"objects": 8012331, "references": 20441002, "duration_seconds": 1.61, "pause_seconds": 0.02, "cpu_seconds": 1.58}

``content`` is "graph" or "census"; ``keys`` tells whether keys of plain dicts are named too; ``taken_at`` is Unix
seconds; ``uptime_seconds`` is null where it is unknown; ``threads`` names the threads by their ident;
``predicted_bytes`` is the size that was reckoned with beforehand, or null; ``note`` says, in a census, why it is no
graph. Readers ignore members they do not know.

**Numbers, strings, places.** A *varint* is unsigned LEB128: seven bits a byte, the lowest first, all bytes but the last
with the high bit set; at most 10 bytes, less than 2**64. *zigzag* is a signed number ``n`` as the varint
``(n << 1) ^ (n >> 63)``. A *string* is a varint of its length in bytes (at most 4096) and that many bytes of UTF-8. An
object's *place* is its address divided by 16: unique, since no object is smaller, and less than 2**60.

**Records.** The payloads of the data blocks, joined, are a stream of records; a record may lie across blocks. Each
begins with a varint ``k``:

======  =====  =========================================================================================================
``k``   name   what follows
======  =====  =========================================================================================================
0       END    nothing: the stream ends here, at the end of its block. The footer's block comes next.
1       TYPE   string name, varint place of the class (0: unknown), varint kind (0 plain, 1 sequence, 2 mapping, 3 set).
               Types are numbered from 0 as they appear.
2       SHAPE  varint number of its type, varint flags, [varint size in bytes, if FIXED_SIZE], varint n, n strings,
               varint m, m strings; n and m are at most 65536. Shapes are numbered from 0 as they appear.
3       NAME   zigzag (place − place of the last node), string: the identifier that a ``str`` object is. May come before
               or after the node of that object.
4       THREAD varint ident, varint native id (0: unknown): the FRAMEs that follow belong to this thread.
5       FRAME  varint depth (0: innermost), string "module.qualname" of the function.
6       ROOT   varint role, varint owned, string name ("": none), zigzag (place − place of the last node).
7       COUNT  varint number of its type, varint objects, varint bytes: a row of a census.
≥ 8     NODE   an object of shape ``k − 8``: zigzag (place − place of the last node), [varint size in bytes, unless
               FIXED_SIZE], varint reference count (0: immortal), [unless LEAF: varint number of edges, edges].
======  =====  =========================================================================================================

Before the first node, the place of the last node is 0. A TYPE and a SHAPE come before they are used; threads and roots
come last; everything else may come in any order.

An *edge* is a varint: 0 where nothing is referred to (an empty position), else 1 + zigzag (place of the target − place
of this node). The target's node may come later. It may never come, if the object came or went while a portable walk was
under way: it is unknown.

A *shape* tells how the nodes of it are laid out. Its flags:

- 1 FIXED_SIZE: every node of it has the size that the shape gives.
- 2 LEAF: its nodes have no edges.
- 4 WEAK: the first edge of its nodes is a weak reference.
- 8 NO_TAIL: its edges are only referents, whatever the kind of the type.

Its first n strings name the first n edges, in order; an empty string is no name. What follows these is the tail: item
0, 1, 2 … in a sequence; key, value, key, value … in a mapping; just referents in all else or with NO_TAIL. The m
strings name the cells of a function's closure: the items of the tuple behind the edge named ``__closure__``.

A *root* is held from outside the graph: role 0, by the table of modules; 1, by a local variable of the last FRAME;
2, otherwise by the last FRAME; 3, by the interpreter. ``owned`` is 1 if that hold counts in the object's reference
count and is no edge of the graph, else 0.

**What is in it.** Names of types, of functions, of threads, and of the attributes of modules, classes and instances
(with ``keys``, of other dicts too). Never a value, the contents of a string, or a ``repr``.
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

__all__ = ["SUFFIX", "BlockReader", "BlockWriter", "Footer", "Header", "open_snapshot", "read_footer", "read_header"]

SUFFIX = ".heap"
MAGIC = b"\x89HEAP\r\n\x1a"
TAIL_MARK = b"HEAP"
LONGEST_BLOCK_BYTES = 2**20
LONGEST_HEADER_BYTES = 16 * 1024
LONGEST_FOOTER_BYTES = 4 * 1024
LONGEST_STRING_BYTES = 4096
MAX_NAMES = 65536

VARINT_END = 2**64
PLACE_END = 2**60
PLACE_SHIFT = 4
"""An object's place is its address shifted right by so much."""

END, TYPE, SHAPE, NAME, THREAD, FRAME, ROOT, COUNT, NODE = range(9)
PLAIN, SEQUENCE, MAPPING, SET = range(4)
FIXED_SIZE, LEAF, WEAK, NO_TAIL = 1, 2, 4, 8
MODULE, LOCAL, HELD_BY_FRAME, HELD_BY_INTERPRETER = range(4)

BLOCK_HEAD = struct.Struct("<II")
_TAIL = struct.Struct("<I4s")


class BlockWriter:
    """Writes the blocks of one file to the descriptor ``fd``, which stays the caller's.

    ``crc`` is that of the last block, ``bytes`` how many were written: who writes blocks to ``fd`` by itself brings
    both up to date. Every verb may raise ``OSError``.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.crc = zlib.crc32(MAGIC)
        self.bytes = 0

    def header(self, header: Header) -> None:
        """Write the magic bytes and the header, first of all; threads that find no room in it are left out."""
        self._write_through(MAGIC)
        payload = header_payload(header)
        while len(payload) > LONGEST_HEADER_BYTES and header.threads:
            kept = dict(list(header.threads.items())[: len(header.threads) // 2])
            header = replace(header, threads=kept)
            payload = header_payload(header)
        self.write(payload)

    def write(self, payload: bytes | bytearray) -> None:
        """Write a payload of any length as data, in blocks."""
        with memoryview(payload) as whole:
            for begin in range(0, len(whole), LONGEST_BLOCK_BYTES):
                piece = whole[begin : begin + LONGEST_BLOCK_BYTES]
                self.crc = zlib.crc32(piece, self.crc)
                self._write_through(BLOCK_HEAD.pack(len(piece), self.crc))
                self._write_through(piece)
                piece.release()

    def footer(self, footer: Footer) -> None:
        """Write the footer and the tail, last of all."""
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
    """Reads the blocks of ``file`` one after the other, each verified; ``path`` is for the errors.

    Every verb raises :class:`SnapshotFileError`.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._crc = zlib.crc32(MAGIC)

    def header(self) -> Header:
        """Return the header, which is read first of all."""
        magic = self._file.read(len(MAGIC))
        if magic != MAGIC:
            cut = MAGIC.startswith(magic) and magic
            raise self.fault("it is cut off" if cut else "it is no snapshot: it does not begin like one")
        return parse_header(self._path, self.block(LONGEST_HEADER_BYTES))

    def block(self, longest: int = LONGEST_BLOCK_BYTES) -> bytes:
        """Return the payload of the next block."""
        length, crc = BLOCK_HEAD.unpack(self._read(BLOCK_HEAD.size))
        if not 0 < length <= longest:
            raise self.fault(f"it was altered: a block claims to have {length} bytes")
        payload = self._read(length)
        self._crc = zlib.crc32(payload, self._crc)
        if self._crc != crc:
            raise self.fault("it was altered: the checksum of a block does not match")
        return payload

    def footer(self) -> Footer:
        """Return the footer, once all data was read, and see that the file ends behind it."""
        payload = self.block(LONGEST_FOOTER_BYTES)
        if _TAIL.unpack(self._read(_TAIL.size)) != (len(payload), TAIL_MARK):
            raise self.fault("it was altered: its tail does not match")
        if self._file.read(1):
            raise self.fault("it was altered: something follows its end")
        return parse_footer(self._path, payload)

    def fault(self, problem: str) -> SnapshotFileError:
        """Return the error that says so of this file."""
        return SnapshotFileError(self._path, problem)

    def _read(self, length: int) -> bytes:
        data = self._file.read(length)
        if len(data) < length:
            raise self.fault("it is cut off")
        return data


def open_snapshot(path: Path) -> BinaryIO:
    """Return a snapshot file, open for reading. May raise ``OSError``.

    Raises :class:`SnapshotFileError` on a pipe or a device, which might never answer: not even to be opened.
    """
    file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 - the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise SnapshotFileError(path, "it is not a regular file")
    return file


def _open_at_once(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NONBLOCK)


def read_header(path: Path) -> Header:
    """Return the header of a snapshot, having read little more than that. Raises :class:`SnapshotFileError`."""
    try:
        with open_snapshot(path) as file:
            return BlockReader(file, path).header()
    except OSError as error:
        raise SnapshotFileError(path, error.strerror or str(error)) from error


def read_footer(path: Path) -> Footer:
    """Return the footer of a snapshot, found from its end. Raises :class:`SnapshotFileError`.

    Its checksum is chained to all blocks before it, so only reading the whole file can verify it.
    """
    try:
        with open_snapshot(path) as file:
            file.seek(
                -min(os.fstat(file.fileno()).st_size, LONGEST_FOOTER_BYTES + BLOCK_HEAD.size + _TAIL.size), os.SEEK_END
            )
            end = file.read()
    except OSError as error:
        raise SnapshotFileError(path, error.strerror or str(error)) from error
    length, mark = _TAIL.unpack(end[-_TAIL.size :]) if len(end) >= _TAIL.size else (0, b"")
    begin = len(end) - _TAIL.size - length - BLOCK_HEAD.size
    if mark != TAIL_MARK or begin < 0:
        raise SnapshotFileError(path, "it is cut off")
    claimed, _crc = BLOCK_HEAD.unpack_from(end, begin)
    if claimed != length:
        raise SnapshotFileError(path, "it was altered: its tail does not match")
    return parse_footer(path, end[begin + BLOCK_HEAD.size : -_TAIL.size])
