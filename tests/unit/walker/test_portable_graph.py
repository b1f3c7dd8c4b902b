"""The portable walker writes a graph: single objects, and what may go wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest

from heap_exporter.heapfile.edges import edges
from heap_exporter.heapfile.encoder import GraphEncoder
from heap_exporter.heapfile.format import PLACE_SHIFT, BlockWriter
from heap_exporter.heapfile.records import NameRecord, Record
from heap_exporter.walker.graph_writer import GraphWriter
from heap_exporter.walker.portable_walker import PortableWalker
from tests.heaps.files import nodes, read_all, write_file


class Planted:
    an_attribute: str


def written(
    path: Path, objects: list[object], *, keys: bool = False, meanwhile: Callable[[], None] = lambda: None
) -> list[Record]:
    """Write the graph of some objects; return its records."""

    def write(out: BlockWriter) -> None:
        encoder = GraphEncoder(out)
        writer = GraphWriter(encoder, set(), meanwhile, keys=keys)
        writer.expect(objects)
        writer.write(objects)
        encoder.end()

    return read_all(write_file(path, write))


def test_keys_of_dicts_are_named_with_the_setting(tmp_path: Path) -> None:
    named = Planted()
    named.an_attribute = f"a_value_{id(named)}"
    keys = {f"hunter_{number}_secret" for number in range(100)}

    records = written(tmp_path / "keys.heap", [dict.fromkeys(keys), vars(named)], keys=True)

    names = {record.name for record in records if isinstance(record, NameRecord)}
    assert keys <= names
    assert named.an_attribute not in names


def test_a_list_that_shrinks_while_it_is_written_has_empty_positions(tmp_path: Path) -> None:
    items: list[object] = list(range(10_000))

    records = written(tmp_path / "a.heap", [items], meanwhile=lambda: items.__delitem__(slice(100, None)))

    node = nodes(records)[id(items) >> PLACE_SHIFT]
    assert len(node.edges) == 10_000
    assert 100 <= len(list(edges(node))) < 10_000


def test_a_full_disk_is_an_oserror() -> None:
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space left"):
        PortableWalker((), lambda: False).write_graph(BlockWriter(full.fileno()))
