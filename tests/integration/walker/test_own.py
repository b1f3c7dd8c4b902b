"""Heap-exporter's own objects are found whatever the process does meanwhile."""

from __future__ import annotations

from pathlib import Path

from tests.processes.programs import next_json, program

CODE = """
    import gc, json, sys, types
    import heap_exporter.walker.fallback_walker
    from heap_exporter.walker.own_objects import own_modules

    class Importing:
        def __del__(self):
            name = f"imported_{len(sys.modules)}"
            sys.modules[name] = types.ModuleType(name)

    sys.modules.update((f"module_{number}", types.ModuleType("made")) for number in range(3000))
    found, imported = {len(own_modules())}, len(sys.modules)
    for allocations in range(20, 3000, 20):
        gc.disable()
        gc.collect(0)
        ring = Importing()
        ring.itself = ring
        del ring
        gc.set_threshold(allocations)
        gc.enable()
        found.add(len(own_modules()))
    gc.disable()
    print(json.dumps([len(found), len(sys.modules) - imported]))
"""


def test_a_finalizer_that_imports_meanwhile_hides_no_own_module(tmp_path: Path) -> None:
    with program(CODE, tmp_path) as process:
        counts, imports = next_json(process)

    assert counts == 1
    assert imports > 10
