"""The interpreter's own allocator is read without a word on anybody's stderr."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from heap_exporter.errors import SourceMissing
from heap_exporter.probes import pymalloc
from heap_exporter.probes.pymalloc import PymallocReader, read_pymalloc

try:
    read_pymalloc()
except SourceMissing as missing:
    pytestmark = pytest.mark.skip(reason=str(missing))


def test_small_objects_are_in_use_and_what_they_leave_is_retained() -> None:
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
    # In a process of its own: in this one, they may fit into what others have left.
    printed = subprocess.check_output([sys.executable, "-c", textwrap.dedent(code)], text=True)

    used_by_all, used_by_kept, retained = map(int, printed.split())
    assert used_by_all >= 13_000_000
    assert used_by_kept < 1_000_000
    assert retained > 10_000_000


def test_a_reading_is_given_again_while_another_would_cost_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pymalloc, "REST_FACTOR", 1e9)  # for days, however soon the processor comes back to this test
    reader = PymallocReader()
    first = reader.read()

    assert reader.read() is first


@pytest.mark.parametrize(("allocator", "said"), [("malloc", "tells nothing"), ("pymalloc", "Malloc(used_bytes=")])
def test_it_says_whether_there_is_such_an_allocator(allocator: str, said: str) -> None:
    code = (
        "from heap_exporter.errors import SourceMissing\n"
        "from heap_exporter.probes.pymalloc import read_pymalloc\n"
        "try: print(read_pymalloc())\n"
        "except SourceMissing as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONMALLOC": allocator}
    )

    assert said in done.stdout
    assert done.stderr == ""
