"""The memory that a walk in Python takes, in an interpreter of its own."""

import subprocess
import sys
import textwrap


def test_a_walk_takes_little_memory_beside_the_heap() -> None:
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
