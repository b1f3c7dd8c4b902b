"""The probes of an interpreter with another allocator."""

import os
import subprocess
import sys


def test_without_pymalloc_the_blocks_are_a_missing_source() -> None:
    code = "from heap_exporter.probes.allocators import read_allocated_blocks as read\nread()"

    environ = {**os.environ, "PYTHONMALLOC": "malloc"}
    result = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)

    assert "SourceMissing: the interpreter does not count memory blocks" in result.stderr
