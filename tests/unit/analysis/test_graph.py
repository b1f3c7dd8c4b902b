"""The graph of a file equals the reference model, to the byte."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from random import Random

import pytest
from hypothesis import given

from heap_exporter.analysis.graph import EMPTY, NAMED, NO_TYPE, Graph
from heap_exporter.errors import SnapshotFileError
from heap_exporter.heapfile.encoder import GraphEncoder, write_census
from heap_exporter.heapfile.format import SEQUENCE, BlockWriter
from heap_exporter.model import Census
from tests.heaps.files import FOOTER, HEADER, small_graph, write_file
from tests.heaps.kernels import KERNELS, Load, labels_of_edges
from tests.heaps.random_heaps import models
from tests.heaps.reference_model import Held, Model, Node, Shape

LABELS = ("referent", "item", "key", "value", "weak")


@pytest.fixture(params=KERNELS)
def load(request: pytest.FixtureRequest) -> Load:
    return KERNELS[request.param]


def loaded(load: Load, model: Model) -> Graph:
    with tempfile.TemporaryDirectory() as folder:
        return load(model.write(Path(folder) / "a.heap"))


def text(graph: Graph, label: int) -> str:
    return f".{graph.strings[label - NAMED]}" if label >= NAMED else LABELS[label]


def path_of(graph: Graph, group: int) -> tuple[tuple[str, str], ...]:
    """Return the labels and types down to a group, holders by their numbers."""
    if group < len(graph.holders):
        step = (f"holder {group}", "")
        return (*path_of(graph, graph.holders[group].parent), step) if group else (step,)
    step = (text(graph, graph.group_label[group]), graph.types[graph.group_type[group]])
    return (*path_of(graph, graph.group_parent[group]), step)


def drawn(check: Callable[[Load, Model], None]) -> Callable[[Load, Model], None]:
    """Run a test with each kernel on heaps of up to 300 objects."""
    check = given(model=models())(check)
    parametrized: Callable[[Load, Model], None] = pytest.mark.parametrize("load", KERNELS.values(), ids=KERNELS)(check)
    return parametrized


@drawn
def test_objects_are_numbered_by_address_and_have_the_values_of_the_file(load: Load, model: Model) -> None:
    graph = loaded(load, model)
    nodes = list(model.by_place.values())

    assert graph.objects == len(nodes)
    assert list(graph.places()) == list(model.by_place)
    assert list(graph.size) == [node.size_bytes for node in nodes]
    assert [graph.types[number] for number in graph.type_of] == [node.shape.type_name for node in nodes]
    assert len(set(graph.types)) == len(graph.types)
    assert len(set(graph.strings)) == len(graph.strings)


@drawn
def test_each_edge_has_its_slot_and_its_label(load: Load, model: Model) -> None:
    graph = loaded(load, model)
    nodes = list(model.by_place.values())
    places = [place for node in nodes for place in node.edges]

    assert list(graph.offsets) == [sum(len(node.edges) for node in nodes[:i]) for i in range(len(nodes) + 1)]
    assert list(graph.targets) == [model.number.get(place, EMPTY) for place in places]
    assert [text(graph, label) for label in labels_of_edges(graph)] == [
        model.named_label(node, slot)
        for node in nodes
        for slot, place in enumerate(node.edges)
        if place in model.number
    ]
    assert graph.references == sum(place in model.number for place in places)
    assert graph.unknown_references == sum(place > 0 and place not in model.number for place in places)


@drawn
def test_each_object_is_in_the_group_of_its_shortest_path(load: Load, model: Model) -> None:
    graph = loaded(load, model)
    paths = [model.traced[place] for place in model.by_place]

    assert [path_of(graph, group) for group in graph.group] == [
        tuple((label, type_name) for label, type_name, _function in path) for path in paths
    ]
    assert len(set(zip(graph.group, paths, strict=True))) == len(set(graph.group)) == len(set(paths))


@drawn
def test_the_holders_refer_to_the_roots_of_the_file_and_to_objects_without_a_holder(load: Load, model: Model) -> None:
    graph = loaded(load, model)
    assert model.traced is not None

    assert [holder.parent for holder in graph.holders] == model.holder_parents
    assert graph.root_edges == [
        (holder, model.number[place], _label(graph, name))
        for stage in (1, 2, 3, 4, 5)
        for holder, place, name in model.sources[stage]
    ]


def _label(graph: Graph, name: str) -> int:
    return NAMED + graph.strings.index(name) if name else 0


@drawn
def test_a_node_retains_the_objects_that_are_unreachable_without_it(load: Load, model: Model) -> None:
    graph = loaded(load, model)

    assert list(graph.idom) == model.idom()
    assert list(graph.retained) == [model.retained([node]) for node in range(len(model.links))]
    assert graph.retained[graph.objects] == sum(graph.size)


@drawn
def test_a_group_retains_the_union_of_what_its_objects_retain(load: Load, model: Model) -> None:
    graph, random = loaded(load, model), Random(len(model.nodes))
    groups = memoryview(bytearray(4 * graph.objects)).cast("I")
    for number in range(graph.objects):
        groups[number] = random.choice((0, 1, 2, 3, 4, 5, EMPTY))
    members = [[v for v in range(graph.objects) if groups[v] == group] for group in range(6)]

    assert list(graph.retained_by(groups, 6)) == [model.retained(nodes) for nodes in members]
    assert list(graph.retained_by(groups, 0)) == []
    objects, shallow = graph.totals_by(groups, 6)
    assert list(objects) == [len(nodes) for nodes in members]
    assert list(shallow) == [sum(graph.size[v] for v in nodes) for nodes in members]


@drawn
def test_each_object_is_in_one_group(load: Load, model: Model) -> None:
    graph = loaded(load, model)
    groups = range(len(graph.group_parent))
    members = [[v for v in range(graph.objects) if graph.group[v] == group] for group in groups]

    assert list(graph.group_objects) == [len(nodes) for nodes in members]
    assert list(graph.group_shallow) == [sum(graph.size[v] for v in nodes) for nodes in members]
    assert list(graph.retained_by(graph.group, len(graph.group_parent))) == [model.retained(nodes) for nodes in members]
    assert [graph.group_type[group] for group in groups[: len(graph.holders)]] == [NO_TYPE] * len(graph.holders)
    assert all(graph.group_parent[group] < group for group in groups[1:])
    assert list(graph.regroup(graph.group_type)) == [graph.group_type[group] for group in graph.group]


@given(models(40))
def test_the_reference_model_partitions_the_heap(model: Model) -> None:
    """A check of the model: every object has one holder, and the root retains all of them."""
    root = len(model.by_place)

    assert model.traced.keys() == model.by_place.keys()
    assert model.dominated[root] == set(range(len(model.links)))


@pytest.mark.parametrize("name", ["type_of", "size", "offsets", "targets", "idom", "retained", "group"])
def test_each_array_has_the_expected_format(load: Load, tmp_path: Path, name: str) -> None:
    column = getattr(load(write_file(tmp_path / "a.heap", small_graph)), name)

    assert column.format == ("Q" if name in ("size", "retained") else "I")
    assert column.itemsize == (8 if name in ("size", "retained") else 4)


def test_threads_have_their_names_and_frames_their_functions(load: Load, tmp_path: Path) -> None:
    def fill(out: BlockWriter) -> None:
        encoder = GraphEncoder(out)
        lists = encoder.shape(encoder.type("list", kind=1))
        encoder.node(lists, 1, 56, 1, ())
        encoder.thread(7)
        encoder.frame(0, "shop.serve")
        encoder.root(1, 1, "cart", owned=True)
        encoder.frame(1, "shop.main")
        encoder.thread(8)
        encoder.end()

    graph = load(write_file(tmp_path / "a.heap", fill))

    assert [tuple(holder) for holder in graph.holders] == [
        ("root", "", 0), ("modules", "", 0), ("threads", "", 0), ("interpreter", "", 0), ("outside", "", 0),
        ("garbage", "", 0), ("thread", "MainThread", 2), ("frame", "shop.serve", 6), ("frame", "shop.main", 6),
        ("thread", "thread 8", 2),
    ]  # fmt: skip  # a table
    assert path_of(graph, graph.group[0])[1:] == (
        ("holder 2", ""), ("holder 6", ""), ("holder 7", ""), (".cart", "list"),
    )  # fmt: skip  # a path


def test_local_variables_without_a_thread_belong_to_the_threads(load: Load, tmp_path: Path) -> None:
    def fill(out: BlockWriter) -> None:
        encoder = GraphEncoder(out)
        lists = encoder.shape(encoder.type("list", kind=1))
        encoder.node(lists, 1, 56, 1, ())
        encoder.root(1, 1, "cart", owned=True)
        encoder.frame(0, "shop.serve")
        encoder.end()

    graph = load(write_file(tmp_path / "a.heap", fill))

    assert graph.root_edges == [(2, 0, NAMED + graph.strings.index("cart"))]
    assert tuple(graph.holders[6]) == ("frame", "shop.serve", 2)


def _chain(labels: tuple[str, ...], links: int) -> Model:
    """Return a chain of objects with each of these attributes in turn, behind a module."""
    shapes = [Shape("shop.Link", edge_names=(label,)) for label in labels]
    nodes = [Node(10 + i, shapes[i % len(shapes)], 10, 1, [11 + i] if i < links - 1 else []) for i in range(links)]
    return Model(nodes, {}, [Held(0, 10, "shop", owned=False)], [])


@pytest.mark.parametrize(("labels", "groups"), [("a", 2), ("ab", 3), ("abc", 4), ("abcd", 5), ("abcde", 63)])
def test_a_recursion_of_up_to_four_steps_is_one_path_and_paths_end(load: Load, labels: str, groups: int) -> None:
    model = _chain(tuple(labels), 1000)
    graph = loaded(load, model)

    assert len(set(graph.group)) == groups
    assert [path_of(graph, group) for group in graph.group] == [
        tuple((label, type_name) for label, type_name, _ in model.traced[place]) for place in model.by_place
    ]
    assert max(len(path_of(graph, group)) for group in graph.group) <= 65


def test_closures_of_different_functions_are_no_recursion(load: Load) -> None:
    first = Shape("function", edge_names=("__closure__",), cell_names=("cache",))
    second = Shape("function", edge_names=("__closure__",), cell_names=("cache", "seen"))
    cells = Shape("tuple", SEQUENCE)
    shapes = [first, cells, second, cells, first, cells, first, cells]
    nodes = [Node(1 + i, shape, 10, 1, [2 + i] if i < 7 else []) for i, shape in enumerate(shapes)]
    model = Model(nodes, {}, [Held(0, 1, "shop", owned=False)], [])

    graph = loaded(load, model)

    assert [path_of(graph, group)[-1] for group in graph.group] == [
        (".shop", "function"), (".__closure__", "tuple"), (".cache", "function"), (".__closure__", "tuple"),
        (".cache", "function"), (".__closure__", "tuple"), (".cache", "function"), (".__closure__", "tuple"),
    ]  # fmt: skip  # a path
    first_group = len(graph.holders)
    assert [group - first_group for group in graph.group] == [0, 1, 2, 3, 2, 1, 2, 1]
    assert len(set(graph.group)) == len(set(model.traced.values()))


def test_the_deepest_group_contains_everything_below_it(load: Load) -> None:
    names = tuple("".join(letters) for letters in product("ghijklmnop", repeat=3))
    graph = loaded(load, _chain(names, 1000))

    assert graph.group_objects[graph.group[999]] == 1000 - 62


def test_a_file_without_objects_has_holders_only(load: Load, tmp_path: Path) -> None:
    graph = load(write_file(tmp_path / "a.heap", lambda out: GraphEncoder(out).end()))

    assert (graph.objects, graph.references, list(graph.offsets), list(graph.targets)) == (0, 0, [0], [])
    assert list(graph.idom) == [0] * 6
    assert list(graph.retained) == [0] * 6
    assert (graph.header, graph.footer) == (HEADER, FOOTER)


def test_a_census_is_not_a_graph(load: Load, tmp_path: Path) -> None:
    header = replace(HEADER, content="census", note="a graph did not fit")
    census = Census(1.7e9, 0.1, 0.1, 0.1, "portable", (), (), references=0, in_process=True)
    path = write_file(tmp_path / "a.heap", lambda out: write_census(out, census), header)

    with pytest.raises(
        SnapshotFileError,
        match=r"only a census \(counts of objects by type\), not an object graph: a graph did not fit",
    ):
        load(path)


def test_progress_is_reported_from_0_to_1(load: Load, tmp_path: Path) -> None:
    reported: list[tuple[str, float]] = []
    load(write_file(tmp_path / "a.heap", small_graph), lambda stage, done: reported.append((stage, done)))

    assert reported
    assert all(0.0 <= done <= 1.0 for _stage, done in reported)
    assert reported == sorted(reported, key=lambda step: [stage for stage, _ in reported].index(step[0]))
