"""A file that claims to be large, read by a process with little memory."""

from pathlib import Path

import pytest

from heap_exporter.heapfile.format import MAX_BLOCK_BYTES
from tests.heaps.files import write_payload
from tests.heaps.kernel_process import run_with_memory
from tests.heaps.kernels import KERNELS
from tests.unit.analysis.test_hostile_files import HUGE, LIST, OBJECT, STR, varint

CLAIMS = {
    "edges": LIST + OBJECT + HUGE + b"\x01" * (3 * MAX_BLOCK_BYTES),
    "names": LIST + b"".join(b"\x02\x00\x00" + varint(65536) + bytes(65536) + b"\x00" for _ in range(40)) + HUGE,
    "strings": b"".join(b"\x01" + varint(4096) + b"%08d" % i + b"x" * 4088 + b"\x00\x00" for i in range(3000)) + HUGE,
    "objects": STR + b"\x08\x20\x08\x01" * 500_000 + HUGE,
    "frames": b"\x05\x00\x00" * 500_000 + HUGE,
}  # fmt: skip  # a table

QUICK = {"native": CLAIMS.keys(), "portable": {"edges", "names"}}
"""What `make test` claims to a kernel; the portable one takes a second for each."""


@pytest.mark.parametrize(
    ("kernel", "claim"),
    [
        pytest.param(kernel, claim, marks=() if claim in QUICK[kernel] else pytest.mark.long)
        for kernel in KERNELS
        for claim in CLAIMS
    ],
)
def test_a_claimed_size_takes_no_memory(tmp_path: Path, kernel: str, claim: str) -> None:
    output = run_with_memory(write_payload(tmp_path / "hostile", CLAIMS[claim]), kernel, mebibytes=300)

    assert output.startswith("refused: ")
    assert output.count("\n") == 1
