"""Memory that no pointer leads to is found by kind and number, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.native.leaky import build
from tests.native.runs import outcome

RECALL = 0.94
RECALL_IN_STALE_MEMORY = 0.85
LOST_LISTS_IN_STALE_MEMORY = 0.6
MAX_GARBAGE_CALLED_LOST = 2

BLOCKS, SOURCES, GARBAGE = 0, 2, 4
"""Where the counts of blocks are in a row that the program prints."""

NOTHING = (0, 0, 0, 0, 0, 0)

LOOKS = """
    import gc, json, sys
    import leaky
    from tests.native.clones import begin_search, end
    class Session:
        pass
    class Node:
        pass
    def look():
        result = end(begin_search())
        assert result["is_complete"], result
        return {f"{row[1]} {row[2]}".strip(): row[3:] for row in result["rows"]}
    def grown(before, after):
        nothing = (0, 0, 0, 0, 0, 0)
        return {name: [now - then for now, then in zip(row, before.get(name, nothing))] for name, row in after.items()}
    def sessions(count):
        for _ in range(count):
            leaky.refer_once_too_often(Session())
    def cycles(count):
        for _ in range(count):
            first, second = Node(), Node()
            first.other, second.other = second, first
"""
"""What a program that looks for its lost memory begins with."""

LOSSES = """
    leaky.lose_bytes(3000)
    leaky.lose_lists(2000)
    leaky.lose_blocks(1000)
    sessions(500)
"""

ALL_KINDS = f"""
{LOOKS}
    before = look()
{LOSSES}
    leaky.lose_large_bytes(300)
    leaky.lose_chunks(375)
    leaky.lose_chunks_in_thread(375)
    after = look()
    print(json.dumps({{"before": sum(row[0] for row in before.values()), "grown": grown(before, after)}}))
"""

STALE_MEMORY = f"""
{LOOKS}
    gc.disable()
    held = [([Session(), index, str(index)], {{index: Session()}}, bytes(40)) for index in range(40_000)]
    held.clear()
    before = look()
{LOSSES}
    cycles(800)
    after = look()
    print(json.dumps(grown(before, after)))
"""


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("extension"))


@pytest.fixture
def ran(extension: Path, tmp_path: Path) -> Any:
    """Return a function that runs a program with the leaky extension and returns what it printed."""

    def run(code: str, **environ: Any) -> Any:
        path = f"import sys; sys.path.append({str(extension)!r})\n"
        return outcome(path + _dedented(code), tmp_path, **environ)

    return run


def test_lost_memory_of_each_kind_is_found_and_an_ordinary_process_has_none(ran: Any) -> None:
    found = ran(ALL_KINDS)

    assert found["before"] <= 20
    expected = {"bytes 0": 3300, "list 0": 2000, "__main__.Session 0": 500, "112": 1000, "3000": 750}
    shares = {kind: found["grown"].get(kind, NOTHING)[BLOCKS] / count for kind, count in expected.items()}
    assert min(shares.values()) >= RECALL, shares
    assert max(shares.values()) <= 1.01, shares


def test_garbage_is_not_lost_and_lost_objects_are_found_among_what_freed_ones_have_left(ran: Any) -> None:
    grown = ran(STALE_MEMORY)

    expected = {"bytes 0": 3000, "list 0": 2000, "__main__.Session 0": 500, "112": 1000}
    unreached = {kind: grown.get(kind, NOTHING) for kind in expected}
    shares = {kind: (row[BLOCKS] + row[GARBAGE]) / expected[kind] for kind, row in unreached.items()}
    assert min(shares.values()) >= RECALL_IN_STALE_MEMORY, grown
    assert grown["list 0"][SOURCES] >= LOST_LISTS_IN_STALE_MEMORY * 2000, grown
    assert grown["__main__.Node 0"][BLOCKS] <= MAX_GARBAGE_CALLED_LOST, grown
    assert grown["__main__.Node 0"][GARBAGE] >= 0.9 * 1600, grown


ALLOCATING_THREADS = f"""
{LOOKS}
    import threading
    stopping = threading.Event()
    def allocate():
        while not stopping.is_set():
            [bytes(size) for size in range(600, 100_000, 997)]
    threads = [threading.Thread(target=allocate) for _ in range(4)]
    for thread in threads:
        thread.start()
    look()
    before = look()
    for _ in range(10):
        after = look()
    stopping.set()
    grown = [(row[0] - before.get(name, [0])[0], row[1] - before.get(name, [0, 0])[1]) for name, row in after.items()]
    print(json.dumps([sum(blocks for blocks, _ in grown), sum(size for _, size in grown)]))
"""


@pytest.mark.long
def test_looks_at_a_busy_process_find_no_growth(ran: Any) -> None:
    blocks, size = ran(ALLOCATING_THREADS)

    assert blocks <= 50
    assert size <= 64 * 1024


@pytest.mark.long
@pytest.mark.parametrize("allocator", ["malloc", "debug", "malloc_debug"])
def test_a_process_with_another_allocator_is_searched_too(allocator: str, ran: Any) -> None:
    found = ran(ALL_KINDS, PYTHONMALLOC=allocator)

    assert found["grown"]["3000"][BLOCKS] >= RECALL * 750


def _dedented(code: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in code.splitlines())
