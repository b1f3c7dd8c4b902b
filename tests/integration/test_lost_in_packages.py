"""What C code of published packages lost: the kind, the number and the line; their fixed versions lose nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.native.runs import outcome

pytestmark = pytest.mark.long

LEAKING = ("ujson==5.11.0", "hiredis==3.1.0", "msgspec==0.14.1", "multidict==6.6.3")
FIXED = ("ujson==6.1.0", "hiredis==3.5.0", "msgspec==0.22.0", "multidict==7.2.1")

CALLS = 20_000
RECALL = 0.9
MAX_GROWTH_OF_FIXED = 5

PROGRAM = """
    import json, sys
    sys.path.insert(0, {packages!r})
    import hiredis, msgspec, multidict, ujson
    from heap_exporter.allocations import AllocationSampler, growth_by_line
    from heap_exporter.model.lost_memory import lost_growth
    from tests.native.clones import walker

    def with_ujson():
        for _ in range({calls}):
            ujson.loads("[123456789012345678901234567890]")

    def with_hiredis():
        reader = hiredis.Reader()
        for _ in range({calls}):
            reader.feed(b"%1\\r\\n$3\\r\\nfoo\\r\\n$3\\r\\nbar\\r\\n")
            reader.gets()

    ENCODED = msgspec.msgpack.encode(list(range(1000, 1017)))

    def with_msgspec():
        decoder = msgspec.msgpack.Decoder(tuple)
        for _ in range({calls}):
            decoder.decode(ENCODED)

    def with_multidict():
        for _ in range({calls}):
            multidict.MultiDict([("a", "1")]).pop("a")

    native, sampler, found = walker(), AllocationSampler(16 * 1024), {{}}
    sampler.start()
    for function in (with_ujson, with_hiredis, with_msgspec, with_multidict):
        before, allocated = native.lost(), sampler.profile()
        function()
        grown = lost_growth(before.groups, native.lost().groups)
        lines = growth_by_line(sampler.profile(), allocated)
        found[function.__name__] = {{
            "groups": {{group.type_name or str(group.block_bytes): group.blocks for group in grown}},
            "lines": [line.line.function for line in lines[:1]],
        }}
    print(json.dumps(found))
"""

EXPECTED = {
    "with_ujson": {"32": CALLS},
    "with_hiredis": {"bytes": 2 * CALLS, "tuple": CALLS},
    "with_msgspec": {"list": CALLS, "int": 16 * CALLS, "192": CALLS},
    "with_multidict": {"192": CALLS},
}


def lost_by(requirements: tuple[str, ...], folder: Path) -> Any:
    """Install packages, call each, and return what was lost and the line that allocated most of it."""
    packages = folder / "packages"
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(packages), *requirements]
    if subprocess.run(command, check=False).returncode != 0:
        pytest.skip(f"pip cannot install {', '.join(requirements)} here")
    return outcome(PROGRAM.format(packages=str(packages), calls=CALLS), folder)


def test_the_leaks_of_four_packages_are_found_with_kind_number_and_line(tmp_path: Path) -> None:
    found = lost_by(LEAKING, tmp_path)

    for function, groups in EXPECTED.items():
        shares = {name: found[function]["groups"].get(name, 0) / count for name, count in groups.items()}
        assert min(shares.values()) >= RECALL, (function, shares)
        assert found[function]["lines"] == [function]


def test_the_fixed_versions_of_the_packages_lose_nothing(tmp_path: Path) -> None:
    found = lost_by(FIXED, tmp_path)

    grown = {function: sum(result["groups"].values()) for function, result in found.items()}
    assert max(grown.values()) <= MAX_GROWTH_OF_FIXED, grown
