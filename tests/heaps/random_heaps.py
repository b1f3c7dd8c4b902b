"""Random heaps, and random damage to their files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

from hypothesis import strategies as st

from heap_exporter.heapfile.format import BLOCK_HEAD, MAPPING, MODULE, SEQUENCE, SET
from heap_exporter.heapfile.header import header_payload
from tests.heaps.files import HEADER
from tests.heaps.reference_model import Held, Model, Node, Shape

SHAPES = (
    Shape("str", leaf=True),
    Shape("int", leaf=True, size_bytes=28),
    Shape("list", SEQUENCE),
    Shape("tuple", SEQUENCE),
    Shape("set", SET),
    Shape("dict", MAPPING),
    Shape("module", edge_names=("__dict__",)),
    Shape("shop.Item", edge_names=("__dict__", "owner", ""), size_bytes=48),
    Shape("shop.Cart", MAPPING, edge_names=("__dict__",)),
    Shape("shop.Link", edge_names=("next", "payload"), tail=False, size_bytes=56),
    Shape("function", edge_names=("__globals__", "__closure__"), cell_names=("cache", "", "seen")),
    Shape("function", edge_names=("__globals__", "__closure__"), cell_names=("cache",)),
    Shape("function", edge_names=("__globals__", "__closure__")),
    Shape("weakref", weak=True),
    Shape("shop.Proxy", edge_names=("__wrapped__", "owner"), weak=True),
    Shape("shop.Rows", SEQUENCE, tail=False),
    Shape("shop.Row", SEQUENCE, weak=True),
    Shape("shop.Map", MAPPING, weak=True, tail=False),
    Shape("list", SEQUENCE, edge_names=("__dict__",)),  # another type with that name
)
NAMES = ("__main__", "__dict__", "__globals__", "__closure__", "shop", "cache", "SESSIONS")


@st.composite
def models(draw: st.DrawFn, max_objects: int = 300) -> Model:
    """Return heaps of every form: sparse and dense, deep and flat, with every record that a file may hold."""
    return build(
        Random(draw(st.integers(0, 2**32))),
        objects=draw(st.integers(0, max_objects)),
        mean_edges=draw(st.sampled_from((0.3, 0.8, 1.2, 2.0, 5.0))),
        nearness=draw(st.sampled_from((2, 10, 1000))),
        roots=draw(st.integers(0, 8)),
        threads=draw(st.lists(st.integers(0, 3), max_size=3)),
        odd=draw(st.sampled_from((0.0, 0.02, 0.2))),
    )


def build(
    random: Random, *, objects: int, mean_edges: float, nearness: int, roots: int, threads: list[int], odd: float
) -> Model:
    """Return a heap. ``odd`` is the share of objects that C code holds, and also the share of immortal ones."""
    places = random.sample(range(1, max(objects * 3, 2)), objects)
    nodes = [_node(random, i, places, mean_edges, nearness) for i in range(objects)]
    frames = [6 + i for i in range(len(threads) + sum(threads))]
    held = [_root(random, places, frames) for _ in range(roots)] if places else []
    model = Model(
        nodes,
        {place: random.choice(NAMES) for place in places if random.random() < 0.4},
        sorted(held, key=lambda root: root.frame),
        threads,
    )
    known = Counter(place for node in nodes for _slot, place in model.strong(node))
    known.update(root.place for root in held if root.owned)
    for node in nodes:
        chance = random.random()
        node.reference_count = 0 if chance < odd else max(known[node.place], 1) + (chance > 1 - odd)
    random.shuffle(nodes)
    return model


def _node(random: Random, number: int, places: list[int], mean_edges: float, nearness: int) -> Node:
    shape = random.choice(SHAPES)
    edges = []
    if not shape.leaf:
        wanted = len(shape.edge_names) + min(int(random.expovariate(1 / mean_edges)), 40)
        for _ in range(random.randint(0, 2 * wanted)):
            target = (number + random.randint(-nearness // 2, nearness)) % len(places)
            missing = random.choice((0, 0, 1 << 40))
            edges.append(places[target] if random.random() < 0.85 else missing)
    size = random.randint(0, 1000) if shape.size_bytes is None else shape.size_bytes
    return Node(places[number], shape, size, 0, edges)


def _root(random: Random, places: list[int], frames: list[int]) -> Held:
    role = random.choice((0, 0, 1, 2, 3))
    place = random.choice(places) if random.random() < 0.9 else 1 << 41
    frame = random.choice(frames) if role in (1, 2) and frames else 0
    role = role if frame or role not in (1, 2) else MODULE
    return Held(role, place, random.choice(("", *NAMES)), random.random() < 0.5, frame)


def data_of(file: Path) -> bytes:
    """Return the payload of the second block of a file, the only one with data."""
    whole = file.read_bytes()
    begin = 8 + 8 + len(header_payload(HEADER))
    length, _ = BLOCK_HEAD.unpack_from(whole, begin)
    return whole[begin + 8 : begin + 8 + length]


def alterations(data: bytes, chance: Random) -> Iterator[bytes]:
    """Yield random damage to the data without end: changed bytes, and pieces that are cut out, doubled or moved."""
    while True:
        altered = bytearray(data)
        for _ in range(chance.randrange(1, 4)):
            begin = chance.randrange(len(altered))
            end = min(begin + chance.randrange(1, 20), len(altered))
            match chance.randrange(6):
                case 0:
                    at = chance.randrange(len(altered))
                    altered[at:at] = altered[begin:end]
                case 1 if len(altered) > 50:
                    del altered[begin:end]
                case _:
                    altered[begin] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        yield bytes(altered)
