"""The graph of the portable walker is complete and exact, and contains no text of the heap but names of attributes."""

import gc
import sys
import threading
import types
import weakref
from collections import OrderedDict, deque
from pathlib import Path

import pytest

from heap_exporter.heapfile.edges import EdgeRole, edges
from heap_exporter.heapfile.encoder import GraphEncoder
from heap_exporter.heapfile.format import LOCAL, MODULE, PLACE_SHIFT, BlockWriter
from heap_exporter.heapfile.reader import SnapshotReader
from heap_exporter.heapfile.records import FrameRecord, NameRecord, NodeRecord, Record, RootRecord, ThreadRecord
from heap_exporter.model import Walk
from heap_exporter.walker.graph_writer import GraphWriter
from heap_exporter.walker.naming import type_name
from heap_exporter.walker.portable_walker import PortableWalker
from tests.heaps.files import nodes, read_all, write_file


class Planted:
    an_attribute: str

    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)

    def describe(self) -> str:
        return "planted"


class Slotted:
    __slots__ = ("__weakref__", "left", "right")

    def __init__(self, left: object, right: object) -> None:
        self.left, self.right = left, right


class Index(dict[str, object]):
    pass


def place(found: object) -> int:
    return id(found) >> PLACE_SHIFT


def write(path: Path) -> Walk:
    """Write the graph of this process."""
    walks: list[Walk] = []
    walker = PortableWalker((), lambda: False)
    write_file(path, lambda out: walks.append(walker.write_graph(out)))
    return walks[0]


def graph(path: Path) -> list[Record]:
    """Write the graph of this process, and return its records."""
    walk = write(path)
    records = read_all(path)

    written = nodes(records)
    assert walk.objects == len(written) == sum(isinstance(record, NodeRecord) for record in records)
    assert walk.references == sum(1 for node in written.values() for target in node.edges if target)
    return records


def plant() -> list[object]:
    """Return objects of many types, each of which refers to others."""
    thing = Planted(name="a name", items=[1, 2.5])
    number = 10**30

    def closure(_: object = None) -> object:
        return thing, number

    return [
        thing, closure, Slotted(thing, 10**20), Index(one=thing), (thing, (number, "text")), [number, None, [thing]],
        {"one": thing, 2: number}, {thing, "text"}, frozenset([thing]), deque([thing, number]), OrderedDict(a=thing),
        bytearray(100), iter([thing]), thing.describe, property(closure), (each for each in [thing]), closure.__code__,
        weakref.ref(thing), ValueError("text", thing), slice(thing, number), Planted, types, memoryview(b"text"),
        types.SimpleNamespace(thing=thing), classmethod(closure), range(number, number + 1), "größe", b"text", 5 + 1j,
    ]  # fmt: skip  # a list


class Heap:
    """The planted objects of this process, and the file and the records of a graph of it."""

    def __init__(self, folder: Path) -> None:
        self.objects = plant()
        self.first, self.second = Planted(), Planted()
        self.items = [self.first, self.second, self.first]
        self.pair = (self.second, self.first)
        self.table = {"one": self.first, "two": self.second}
        self.alive, self.dead = weakref.ref(self.first), weakref.ref(Planted())
        self.counted = [Planted() for _ in range(3)]
        self.again = [self.counted[1], self.counted[2], self.counted[2]]
        self.texts = [str(number) * 10 for number in range(3)]
        self.named = Planted()
        self.named.an_attribute = "a_key_or_value" + str(id(self))
        self.secrets = [f"hunter_{number}_secret" for number in range(100)]
        self.hidden = [
            {secret: secret.encode() for secret in self.secrets},
            [Planted(**{secret: secret}) for secret in self.secrets],
            [ValueError(secret) for secret in self.secrets],
        ]
        self.local: list[object] = []
        self.ours = [PortableWalker((), lambda: False)]
        self.path = folder / "a.heap"
        self.thread, self.records = self._walk_beside_a_thread()
        self.nodes = nodes(self.records)

    def _walk_beside_a_thread(self) -> tuple[int, list[Record]]:
        ready, done = threading.Event(), threading.Event()

        def work_on(local_things: list[object]) -> None:
            ready.set()
            done.wait()
            local_things.clear()

        thread = threading.Thread(target=work_on, args=(self.local,))
        thread.start()
        ready.wait()
        try:
            return thread.ident or 0, graph(self.path)
        finally:
            done.set()
            thread.join()


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory) -> Heap:
    return Heap(tmp_path_factory.mktemp("heap"))


def test_every_object_has_its_size_and_references(heap: Heap) -> None:
    for found in heap.objects:
        node = heap.nodes[place(found)]
        assert node.shape.type.name == type_name(type(found))
        assert node.shape.type.place == place(type(found))
        assert node.size_bytes == sys.getsizeof(found)
        expected = [*found, *found.values()] if type(found) is dict else gc.get_referents(found)
        targets = sorted(edge.target for edge in edges(node) if not edge.weak)
        assert targets == sorted(map(place, expected)), found
        assert all(target in heap.nodes for target in node.edges), found


def test_items_and_keys_have_their_positions(heap: Heap) -> None:
    assert [(edge.role, edge.position, edge.target) for edge in edges(heap.nodes[place(heap.items)])] == [
        (EdgeRole.ITEM, position, place(item)) for position, item in enumerate(heap.items)
    ]
    assert list(heap.nodes[place(heap.pair)].edges) == [place(heap.second), place(heap.first)]
    one, two = heap.table
    assert [(edge.role, edge.target, edge.key) for edge in edges(heap.nodes[place(heap.table)])] == [
        (EdgeRole.KEY, place(one), None),
        (EdgeRole.VALUE, place(heap.first), place(one)),
        (EdgeRole.KEY, place(two), None),
        (EdgeRole.VALUE, place(heap.second), place(two)),
    ]


def test_a_weak_reference_is_marked_and_a_dead_one_is_empty(heap: Heap) -> None:
    assert [(edge.target, edge.weak) for edge in edges(heap.nodes[place(heap.alive)])] == [(place(heap.first), True)]
    assert list(edges(heap.nodes[place(heap.dead)])) == []


def test_reference_counts_contain_only_the_application_s_references(heap: Heap) -> None:
    assert [heap.nodes[place(thing)].reference_count for thing in heap.counted] == [1, 2, 3]
    assert [heap.nodes[place(text)].reference_count for text in heap.texts] == [1, 1, 1]
    assert heap.nodes[place(heap.again)].reference_count == 1
    assert (heap.nodes[place(None)].reference_count == 0) is (sys.version_info >= (3, 12))


def test_only_names_of_attributes_are_written(heap: Heap) -> None:
    names = {record.name: record.place for record in heap.records if isinstance(record, NameRecord)}

    assert names["an_attribute"] == place(next(iter(vars(heap.named))))
    assert {"Planted", "plant", "__init__", "modules"} <= names.keys()
    assert not {*heap.secrets, heap.named.an_attribute} & names.keys()
    assert all(len(name) <= 120 and name.isidentifier() for name in names)


def test_keys_of_dicts_are_named_with_the_setting(heap: Heap, tmp_path: Path) -> None:
    dicts: list[object] = [heap.hidden[0], vars(heap.named)]

    def write(out: BlockWriter) -> None:
        encoder = GraphEncoder(out)
        written = GraphWriter(encoder, set(), lambda: None, keys=True)
        written.expect(dicts)
        written.write(dicts)
        encoder.end()

    with SnapshotReader(write_file(tmp_path / "keys.heap", write)) as reader:
        names = {record.name for record in reader.records() if isinstance(record, NameRecord)}

    assert set(heap.secrets) <= names
    assert heap.named.an_attribute not in names


def test_no_text_of_the_heap_is_in_the_file(heap: Heap) -> None:
    written = heap.path.read_bytes()

    assert not [secret for secret in heap.secrets if secret.encode() in written]


def test_modules_are_roots_except_heap_exporter_s(heap: Heap) -> None:
    roots = {record.name: record for record in heap.records if isinstance(record, RootRecord) and record.role == MODULE}

    assert roots["threading"].place == place(threading)
    assert not roots["threading"].owned
    assert not [name for name in roots if name.split(".")[0] == "heap_exporter"]


def test_frames_of_other_threads_are_written(heap: Heap) -> None:
    begin = heap.records.index(ThreadRecord(heap.thread, 0))
    functions = [record.function for record in heap.records[begin:] if isinstance(record, FrameRecord)]

    assert any(function.endswith("work_on") for function in functions)
    assert not [function for function in functions if function.startswith("heap_exporter")]
    root = RootRecord(LOCAL, True, "local_things", place(heap.local))
    assert (root in heap.records) is (sys.version_info >= (3, 13))


def test_heap_exporter_s_own_objects_are_left_out(heap: Heap) -> None:
    assert place(heap.ours[0]) not in heap.nodes
    assert list(heap.nodes[place(heap.ours)].edges) == [0]
    assert not [node for node in heap.nodes.values() if node.shape.type.name.startswith("heap_exporter")]


def test_a_list_that_shrinks_while_it_is_written_has_empty_positions(tmp_path: Path) -> None:
    items: list[object] = list(range(10_000))

    def write(out: BlockWriter) -> None:
        encoder = GraphEncoder(out)
        written = GraphWriter(encoder, set(), lambda: items.__delitem__(slice(100, None)), keys=False)
        written.expect([items])
        written.write([items])
        encoder.end()

    node = nodes(read_all(write_file(tmp_path / "a.heap", write)))[place(items)]

    assert len(node.edges) == 10_000
    assert 100 <= len(list(edges(node))) < 10_000


def test_a_full_disk_is_an_oserror() -> None:
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space left"):
        PortableWalker((), lambda: False).write_graph(BlockWriter(full.fileno()))
