"""A small process that plants objects, and writes the graph of its heap with the portable walker.

``python -m tests.processes.planted FILE`` prints what is true of the objects, as JSON.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
import types
import weakref
from collections import OrderedDict, deque
from dataclasses import asdict, dataclass
from pathlib import Path

from heap_exporter.heapfile.format import PLACE_SHIFT
from heap_exporter.model import Walk
from heap_exporter.walker.naming import type_name
from heap_exporter.walker.portable_walker import PortableWalker
from tests.heaps.files import write_file

SECRETS = [f"hunter_{number}_secret" for number in range(100)]
VALUE_OF_AN_ATTRIBUTE = "a_key_or_value"


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


@dataclass
class PlantedObject:
    """An object, as the interpreter sees it. ``references`` are the places of what it refers to, sorted."""

    type_name: str
    type_place: int
    place: int
    size_bytes: int
    references: list[int]
    text: str


def place(found: object) -> int:
    return id(found) >> PLACE_SHIFT


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


def facts(found: object) -> PlantedObject:
    references = [*found, *found.values()] if type(found) is dict else gc.get_referents(found)
    kind = type(found)
    return PlantedObject(
        type_name(kind), place(kind), place(found), sys.getsizeof(found), sorted(map(place, references)), repr(found)
    )


class Heap:
    """The objects of the tests."""

    def __init__(self) -> None:
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
        self.named.an_attribute = VALUE_OF_AN_ATTRIBUTE + str(id(self))
        self.hidden = [
            {secret: secret.encode() for secret in SECRETS},
            [Planted(**{secret: secret}) for secret in SECRETS],
            [ValueError(secret) for secret in SECRETS],
        ]
        self.local: list[object] = []
        self.ours = [PortableWalker((), lambda: False)]

    def places(self) -> dict[str, int]:
        """Return the places of the attributes and of some other objects, by name."""
        one, two = self.table
        (walker,) = self.ours
        others = {
            "one": one,
            "two": two,
            "an_attribute": next(iter(vars(self.named))),
            "walker": walker,
            "threading": threading,
            "None": None,
        }
        return {name: place(value) for name, value in {**vars(self), **others}.items()}


def walk_next_to_a_thread(heap: Heap, path: Path) -> tuple[Walk, int | None]:
    """Write the graph while a thread works on ``heap.local``; return the walk and the thread's identifier."""
    ready, done = threading.Event(), threading.Event()
    walks: list[Walk] = []

    def work_on(local_things: list[object]) -> None:
        ready.set()
        done.wait()
        local_things.clear()

    thread = threading.Thread(target=work_on, args=(heap.local,))
    thread.start()
    ready.wait()
    try:
        write_file(path, lambda out: walks.append(heap.ours[0].write_graph(out)))
    finally:
        done.set()
        thread.join()
    return walks[0], thread.ident


def main(path: Path) -> None:
    heap = Heap()
    walk, thread = walk_next_to_a_thread(heap, path)
    report = {
        "walk": asdict(walk),
        "planted": [asdict(facts(each)) for each in heap.objects],
        "places": heap.places(),
        "counted": [place(each) for each in heap.counted],
        "texts": [place(text) for text in heap.texts],
        "thread": thread,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
