"""The mappings of real processes with threads."""

from __future__ import annotations

import ctypes
import mmap
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs /proc/self/smaps")


def test_thread_stacks_are_a_group_of_their_own() -> None:
    code = """
        import threading
        from heap_exporter.probes.mappings import read_mappings
        def stacks():
            found = read_mappings(max_seconds=60.0, max_groups=1000)
            return sum(group.resident_bytes for group in found.groups if group.name == "thread stacks")
        end, before = threading.Event(), stacks()
        threads = [threading.Thread(target=end.wait) for _ in range(30)]
        for thread in threads: thread.start()
        print(before, stacks())
        end.set()
        """
    # In a process of its own: in this one, they may reuse the stacks of threads that have ended.
    printed = subprocess.check_output([sys.executable, "-c", textwrap.dedent(code)], text=True)

    before, after = map(int, printed.split())
    assert before == 0
    assert after >= 30 * 2 * mmap.PAGESIZE


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="the arenas are glibc's")
def test_malloc_arenas_of_threads_are_a_group_of_their_own() -> None:
    code = """
        import ctypes, threading
        from heap_exporter.probes.mappings import read_mappings
        libc = ctypes.CDLL(None)
        def take():
            for _ in range(200):
                ctypes.memset(libc.malloc(100_000), 1, 100_000)
        libc.malloc.restype = ctypes.c_void_p
        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
        found = read_mappings(max_seconds=60.0, max_groups=1000)
        print(sum(group.resident_bytes for group in found.groups if group.name == "malloc arenas of threads"))
        """
    printed = subprocess.check_output([sys.executable, "-c", textwrap.dedent(code)], text=True)

    assert int(printed) >= 200 * 100_000
