"""Edges are right when a type has too many names, and when an object changes while it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.native.runs import outcome


def test_names_beyond_the_limit_of_a_type_do_not_remove_others(tmp_path: Path) -> None:
    code = """
        import json, types
        from collections import Counter
        from pathlib import Path
        from tests.native.graphs import read
        from tests.heaps.walks import chosen, snapshot

        class Leak: pass
        class Record: pass
        def closure():
            captured = Leak()
            return lambda: captured
        def copy(number):
            # Each with its own code, which names its cells.
            code = first.__code__.replace(co_firstlineno=number + 1)
            return types.FunctionType(code, globals(), "copy", None, first.__closure__)
        def record(number):
            made = Record()
            for bit in range(14):
                if number >> bit & 1: setattr(made, f"bit_{bit}", Leak())
            return made

        first = closure()
        functions = [copy(number) for number in range(5000)]
        # The first has all attributes, so that the class stores them; the last has those of an early one.
        records = [record(number) for number in (2 ** 14 - 1, *range(9000), 1)]
        def plain(): ...
        snapshot(chosen("native"), Path("test.heap"))
        graph = read(Path("test.heap"))
        names = [set(graph.named(id(made) >> 4)) for made in (plain, *functions)]
        shapes = [graph.nodes[id(made) >> 4].shape for made in functions]
        print(json.dumps({
            "plain": {"__globals__", "__code__"} <= names[0],
            "functions": sum({"__globals__", "__code__", "__closure__"} <= found for found in names),
            "cells": sum(shape.cell_names == ("captured",) for shape in shapes),
            "records": sum("bit_0" in graph.named(id(made) >> 4) for made in records),
            "last": "bit_0" in graph.named(id(records[-1]) >> 4),
        }))
        """
    said = outcome(code, tmp_path)

    assert (said["plain"], said["functions"], said["last"]) == (True, 5000, True)
    assert said["cells"] >= 2000
    assert said["records"] >= 2000


@pytest.mark.parametrize("items", [1, 100, 5000])
def test_a_finalizer_that_empties_a_list_meanwhile_removes_no_edge(items: int, tmp_path: Path) -> None:
    code = f"""
        import gc, json
        from heap_exporter import _native
        class Item: pass
        class Emptying:
            def __del__(self):
                held.clear()
                self.overwriting = [bytearray(64) for _ in range({items})]
        found, held = [], []
        gc.disable()
        for _ in range(20):
            held[:] = [Item() for _ in range({items})]
            ring = Emptying()
            ring.itself = ring
            del ring
            gc.enable()
            edges = _native.edges(held)
            gc.disable()
            found.append([len(edges), {{type(item).__name__ for _, item in edges}} == {{"Item"}}])
        print(json.dumps({{"found": found}}))
        """
    assert outcome(code, tmp_path) == {"found": [[items, True]] * 20}


@pytest.mark.parametrize("entries", [3, 255, 256, 300, 301])
def test_the_keys_of_an_ordered_dict_are_keys_and_its_values_are_values(entries: int, tmp_path: Path) -> None:
    code = f"""
        import json
        from collections import OrderedDict
        from pathlib import Path
        from heap_exporter import analysis
        from tests.heaps.walks import chosen, snapshot

        class Key: pass
        class Value: pass
        class Cache(OrderedDict): pass
        PLAIN, CACHE = OrderedDict(), Cache()
        for held in (PLAIN, CACHE):
            held.update((Key(), Value()) for _ in range({entries}))
            held.move_to_end(next(iter(held)))
        snapshot(chosen("native"), Path("test.heap"))
        heap = analysis.open("test.heap")
        found = []
        for index, group in enumerate(heap.groups):
            if group.type_name in ("__main__.Key", "__main__.Value"):
                found.append([heap.steps(index)[-1].kind, group.type_name, group.objects])
        print(json.dumps({{"found": sorted(found)}}))
        """
    keys, values = ["dict-key", "__main__.Key", entries], ["dict-value", "__main__.Value", entries]

    assert outcome(code, tmp_path) == {"found": [keys, keys, values, values]}
