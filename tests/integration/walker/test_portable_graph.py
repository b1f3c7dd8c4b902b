"""The memory of a walk in Python, in its own interpreter."""

import subprocess
import sys
import textwrap


def test_a_walk_needs_little_memory() -> None:
    code = """
        import os, tracemalloc
        from heap_exporter.heapfile.format import BlockWriter
        from heap_exporter.walker.portable_walker import PortableWalker
        held = [[str(number)] for number in range(20_000)]
        tracemalloc.start()
        with open(os.devnull, "wb") as nowhere:
            walk = PortableWalker((), lambda: False).write_graph(BlockWriter(nowhere.fileno()))
        print(walk.objects, tracemalloc.get_traced_memory()[1])
    """
    objects, peak = map(int, subprocess.check_output([sys.executable, "-c", textwrap.dedent(code)], text=True).split())

    assert objects > 40_000
    assert peak < 60 * objects
