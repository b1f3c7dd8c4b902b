"""Reading pymalloc writes nothing to stderr."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from heap_exporter.allocations import AllocationSampler
from heap_exporter.errors import SourceMissing
from heap_exporter.probes import pymalloc
from heap_exporter.probes.pymalloc import PymallocReader, read_pymalloc

try:
    read_pymalloc()
except SourceMissing as missing:
    pytestmark = pytest.mark.skip(reason=str(missing))


def test_small_objects_are_in_use_and_freed_ones_are_retained() -> None:
    code = """
        from heap_exporter.probes.pymalloc import read_pymalloc
        before = read_pymalloc()
        objects = [bytes(100) for _ in range(100_000)]
        full = read_pymalloc()
        kept = objects[::100]
        objects.clear()
        after = read_pymalloc()
        print(full.used_bytes - before.used_bytes, after.used_bytes - before.used_bytes,
              after.retained_bytes - before.retained_bytes)
        """
    # In a process of its own: in this one, they may fit into free memory.
    printed = subprocess.check_output([sys.executable, "-c", textwrap.dedent(code)], text=True)

    used_by_all, used_by_kept, retained = map(int, printed.split())
    assert used_by_all >= 13_000_000
    assert used_by_kept < 1_000_000
    assert retained > 10_000_000


def test_the_last_reading_is_returned_while_another_one_would_cost_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pymalloc, "PAUSE_FACTOR", 1e9)  # for days, however slow this machine is
    reader = PymallocReader()
    first = reader.read()

    assert reader.read() is first


@pytest.mark.parametrize(
    ("allocator", "output"), [("malloc", "pymalloc is not in use"), ("pymalloc", "AllocatorMemory(used_bytes=")]
)
def test_another_allocator_is_a_missing_source(allocator: str, output: str) -> None:
    code = (
        "from heap_exporter.errors import SourceMissing\n"
        "from heap_exporter.probes.pymalloc import read_pymalloc\n"
        "try: print(read_pymalloc())\n"
        "except SourceMissing as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONMALLOC": allocator}
    )

    assert output in done.stdout
    assert done.stderr == ""


def test_the_last_reading_remains_while_the_hooks_of_sampled_allocations_hide_pymalloc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("heap_exporter._allocations")
    monkeypatch.setattr(pymalloc, "PAUSE_FACTOR", 0.0)
    reader, sampler = PymallocReader(), AllocationSampler()
    before = reader.read()

    sampler.start()
    try:
        assert reader.read() == before
    finally:
        sampler.stop()
