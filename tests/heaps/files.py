"""Snapshot files for tests: valid ones, and damaged ones that the product never writes."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from heap_exporter.heapfile.encoder import GraphEncoder
from heap_exporter.heapfile.format import MAPPING, MODULE, SEQUENCE, BlockWriter, Footer, Header
from heap_exporter.heapfile.header import header_payload
from heap_exporter.heapfile.reader import SnapshotReader
from heap_exporter.heapfile.records import NodeRecord, Record

HEADER = Header(
    content="graph",
    id="20261122T070000Z-4711-a3f0",
    taken_at=1.7e9,
    reason="a reason",
    walker="portable",
    pid=4711,
    uptime_seconds=None,
    python_version="3.13.0",
    implementation="cpython",
    threads={7: "MainThread"},
)
FOOTER = Footer(objects=4, references=5, duration_seconds=0.5, pause_seconds=0.25, cpu_seconds=0.5)


@contextmanager
def _written(path: Path) -> Iterator[int]:
    """Yield the descriptor of a file that the caller writes from its beginning to its end."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        yield fd
        os.ftruncate(fd, os.lseek(fd, 0, os.SEEK_CUR))  # for small cuts a hundred times faster than O_TRUNC
    finally:
        os.close(fd)


def write_file(
    path: Path, fill: Callable[[BlockWriter], None], header: Header = HEADER, footer: Footer = FOOTER
) -> Path:
    """Write a file with header and footer around the data blocks that ``fill`` writes."""
    with _written(path) as fd:
        out = BlockWriter(fd)
        out.header(header)
        fill(out)
        out.footer(footer)
    return path


def write_payload(path: Path, payload: bytes, header: bytes | None = None) -> Path:
    """Write a file with valid checksums, the given data and, optionally, another header."""
    with _written(path) as fd:
        out = BlockWriter(fd)
        out._write_through(b"\x89HEAP\r\n\x1a")
        out.write(header_payload(HEADER) if header is None else header)
        out.write(payload)
        out.footer(FOOTER)
    return path


def small_graph(out: BlockWriter) -> None:
    """Write four objects, one of each kind of shape, and one record of each kind but COUNT."""
    encoder = GraphEncoder(out)
    strings = encoder.shape(encoder.type("str"), leaf=True)
    lists = encoder.shape(encoder.type("list", 0x90, SEQUENCE))
    dicts = encoder.shape(encoder.type("dict", 0, MAPPING))
    things = encoder.shape(
        encoder.type("shop.Thing", 0x95), size_bytes=48, weak=True, tail=False, edge_names=("who", "")
    )
    encoder.node(strings, 0x101, 52, 3, ())
    encoder.node(lists, 0x140, 88, 1, (0x101, 0, 0x99))
    encoder.node(dicts, 0x120, 232, 0, (0x101, 0x140))
    encoder.name(0x101, "größe")
    encoder.node(things, 0x7F0000000, 48, 2, (0x120, 0x140, 0x101))
    encoder.root(MODULE, 0x120, "shop", owned=False)
    encoder.thread(7, 4712)
    encoder.frame(0, "shop.serve")
    encoder.root(1, 0x7F0000000, "thing", owned=True)
    encoder.end()


def read_all(path: Path) -> list[Record]:
    """Return all records of a file, read to its end."""
    with SnapshotReader(path) as reader:
        records = list(reader.records())
        assert reader.footer
    return records


def nodes(records: Iterable[Record]) -> dict[int, NodeRecord]:
    """Return the nodes among the records, by their places."""
    return {record.place: record for record in records if isinstance(record, NodeRecord)}
