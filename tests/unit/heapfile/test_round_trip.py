"""A reader returns exactly what a writer has written."""

import dataclasses
import os
import tempfile
import threading
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heap_exporter.heapfile.edges import Edge, EdgeRole, edges
from heap_exporter.heapfile.encoder import GraphEncoder, write_census
from heap_exporter.heapfile.format import (
    LEAF,
    MAX_BLOCK_BYTES,
    PLACE_END,
    VARINT_END,
    BlockWriter,
    read_footer,
    read_header,
)
from heap_exporter.heapfile.reader import SnapshotReader
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
from heap_exporter.model import Census, TypeCount
from tests.heaps.files import FOOTER, HEADER, nodes, read_all, small_graph, write_file

NUMBERS = st.integers(0, VARINT_END - 1)
PLACES = st.integers(1, PLACE_END - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def streams(draw: st.DrawFn) -> list[Record]:
    """Return records in an order that a file may have."""
    types = [
        TypeRecord(number, draw(TEXTS), draw(st.integers(0, PLACE_END - 1)), draw(st.integers(0, 3)))
        for number in range(draw(st.integers(1, 3)))
    ]
    shapes = [
        ShapeRecord(
            number,
            draw(st.sampled_from(types)),
            (flags := draw(st.integers(0, 15))),
            draw(NUMBERS) if flags & 1 else None,
            tuple(draw(st.lists(TEXTS, max_size=3))),
            tuple(draw(st.lists(TEXTS, max_size=3))),
        )
        for number in range(draw(st.integers(1, 4)))
    ]
    return [*types, *shapes, *draw(st.lists(_others(types, shapes), max_size=20))]


def _others(types: list[TypeRecord], shapes: list[ShapeRecord]) -> st.SearchStrategy[Record]:
    return st.one_of(
        st.sampled_from(shapes).flatmap(_nodes),
        st.builds(NameRecord, PLACES, TEXTS),
        st.builds(ThreadRecord, NUMBERS, NUMBERS),
        st.builds(FrameRecord, NUMBERS, TEXTS),
        st.builds(RootRecord, st.integers(0, 3), st.booleans(), TEXTS, PLACES),
        st.builds(CountRecord, st.sampled_from(types), NUMBERS, NUMBERS),
    )


def _nodes(shape: ShapeRecord) -> st.SearchStrategy[Record]:
    targets = st.lists(st.just(0) | PLACES, max_size=0 if shape.flags & LEAF else 8)
    size = NUMBERS if shape.size_bytes is None else st.just(shape.size_bytes)
    return st.builds(NodeRecord, PLACES, st.just(shape), size, NUMBERS, targets.map(lambda found: array("Q", found)))


def _encode(encoder: GraphEncoder, record: Record) -> None:
    match record:
        case TypeRecord(_, name, place, kind):
            encoder.type(name, place, kind)
        case ShapeRecord(_, of, flags, size, edge_names, cell_names):
            encoder.shape(
                of.number, size_bytes=size, leaf=bool(flags & 2), weak=bool(flags & 4), tail=not flags & 8,
                edge_names=edge_names, cell_names=cell_names,
            )  # fmt: skip  # a record
        case NameRecord(place, name):
            encoder.name(place, name)
        case ThreadRecord(ident, native_id):
            encoder.thread(ident, native_id)
        case FrameRecord(depth, function):
            encoder.frame(depth, function)
        case RootRecord(role, owned, name, place):
            encoder.root(role, place, name, owned=owned)
        case CountRecord(of, objects, size):
            encoder.count(of.number, objects, size)
        case NodeRecord(place, shape, size, count, targets):
            encoder.node(shape.number, place, size, count, targets)


@given(streams())
def test_any_records_are_read_as_they_were_written(records: list[Record]) -> None:
    def fill(out: BlockWriter) -> None:
        encoder = GraphEncoder(out)
        for record in records:
            _encode(encoder, record)
        encoder.end()

    with tempfile.TemporaryDirectory() as folder:
        assert read_all(write_file(Path(folder) / "a.heap", fill)) == records


def test_half_a_surrogate_pair_in_a_header_is_replaced_so_that_every_reader_can_encode_it(tmp_path: Path) -> None:
    odd = dataclasses.replace(HEADER, reason="half \udcff", note="\ud800", threads={7: "\udfff"})

    header = read_header(write_file(tmp_path / "a.heap", small_graph, odd))

    assert (header.reason, header.note, header.threads) == ("half \ufffd", "\ufffd", {7: "\ufffd"})


def test_header_and_footer_are_read_as_they_were_written(tmp_path: Path) -> None:
    odd = dataclasses.replace(HEADER, reason="an odd \U0001f40d", uptime_seconds=3.5, keys=True, note="a note")
    path = write_file(tmp_path / "a.heap", small_graph, odd)

    assert read_header(path) == odd
    assert read_footer(path) == FOOTER
    with SnapshotReader(path) as reader:
        assert reader.header == odd
        with pytest.raises(ValueError, match="only after all its records"):
            assert reader.footer
        list(reader.records())
        assert reader.footer == FOOTER


def test_a_record_may_span_blocks(tmp_path: Path) -> None:
    targets = list(range(1, MAX_BLOCK_BYTES * 2, 2))

    def fill(out: BlockWriter) -> None:
        encoder = GraphEncoder(out)
        shape = encoder.shape(encoder.type("list", kind=1))
        encoder.node(shape, 1 << 50, 8, 1, targets)
        encoder.node(shape, 1 << 51, 8, 1, targets[:3])
        encoder.end()

    path = write_file(tmp_path / "a.heap", fill)

    assert path.stat().st_size > 3 * MAX_BLOCK_BYTES
    assert [list(node.edges) for node in nodes(read_all(path)).values()] == [targets, targets[:3]]


def test_a_writer_continues_after_a_partial_write() -> None:
    """A pipe accepts a part; the writer writes the rest later."""
    readable, writable = os.pipe()
    received = bytearray()

    def drain() -> None:
        while piece := os.read(readable, 1000):
            received.extend(piece)

    thread = threading.Thread(target=drain)
    thread.start()
    out = BlockWriter(writable)
    out.header(HEADER)
    out.write(bytes(300_000))
    os.close(writable)
    thread.join()
    os.close(readable)

    assert len(received) == out.bytes > 300_000


def test_threads_that_do_not_fit_into_the_header_are_left_out(tmp_path: Path) -> None:
    crowd = dataclasses.replace(HEADER, threads=dict.fromkeys(range(10_000), "a thread of many"))

    header = read_header(write_file(tmp_path / "a.heap", small_graph, crowd))

    assert 100 < len(header.threads) < 10_000
    assert dataclasses.replace(header, threads={}) == dataclasses.replace(HEADER, threads={})


def test_each_edge_has_the_role_of_its_shape(tmp_path: Path) -> None:
    by_type = {
        node.shape.type.name: list(edges(node))
        for node in nodes(read_all(write_file(tmp_path / "a.heap", small_graph))).values()
    }

    assert by_type == {
        "str": [],
        "list": [Edge(0x101, EdgeRole.ITEM, position=0), Edge(0x99, EdgeRole.ITEM, position=2)],
        "dict": [Edge(0x101, EdgeRole.KEY, position=0), Edge(0x140, EdgeRole.VALUE, position=0, key=0x101)],
        "shop.Thing": [
            Edge(0x120, EdgeRole.NAMED, "who", weak=True),
            Edge(0x140, EdgeRole.REFERENT),
            Edge(0x101, EdgeRole.REFERENT),
        ],
    }


def test_a_census_is_written_as_its_rows(tmp_path: Path) -> None:
    rows = (TypeCount("dict", 10, 2320), TypeCount("shop.Thing", 2, 96))
    census = Census(1.7e9, 0.5, 0.1, 0.4, "native", rows, (1, 2, 3))

    records = read_all(write_file(tmp_path / "a.heap", lambda out: write_census(out, census)))

    counts = [record for record in records if isinstance(record, CountRecord)]
    assert tuple(TypeCount(count.type.name, count.objects, count.size_bytes) for count in counts) == rows


def test_a_name_that_is_too_long_is_truncated_at_a_character(tmp_path: Path) -> None:
    def fill(out: BlockWriter) -> None:
        encoder = GraphEncoder(out)
        encoder.type("€" * 5000)
        encoder.end()

    assert read_all(write_file(tmp_path / "a.heap", fill)) == [TypeRecord(0, "€" * 1365, 0, 0)]


@pytest.mark.parametrize("number", [-1, VARINT_END])
def test_a_number_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="is out of range for a snapshot record"):
        GraphEncoder(BlockWriter(-1)).thread(number)
