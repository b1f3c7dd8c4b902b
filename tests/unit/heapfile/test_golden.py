"""The bytes of version 1, written by hand: a change of these is a new version."""

import json
import struct
import zlib
from pathlib import Path

from tests.heaps.files import small_graph, write_file

MAGIC = bytes.fromhex("89 48 45 41 50 0d 0a 1a")
DATA = """
01 03 737472 00 00                                 | TYPE 0 str
02 00 02 00 00                                     | SHAPE 0 of type 0: LEAF
01 04 6c697374 9001 01                             | TYPE 1 list, its class at 0x90, a sequence
02 01 00 00 00                                     | SHAPE 1 of type 1
01 04 64696374 00 02                               | TYPE 2 dict, a mapping
02 02 00 00 00                                     | SHAPE 2 of type 2
01 0a 73686f702e5468696e67 9501 00                 | TYPE 3 shop.Thing, its class at 0x95
02 03 0d 30 02 03 77686f 00 00                     | SHAPE 3 of type 3: FIXED_SIZE WEAK NO_TAIL, 48 bytes, "who", ""
08 8204 34 03                                      | NODE of shape 0 at 0x101: 52 bytes, 3 references to it
09 7e 58 01 03 7e 00 ce02                          | NODE of shape 1 at 0x140: to 0x101, none, 0x99
0a 3f e801 00 02 3e 41                             | NODE of shape 2 at 0x120, immortal: to 0x101 and 0x140
03 3d 07 6772c3b6c39f65                            | NAME of 0x101: größe
0b c0fbfffffd01 02 03 c0fbfffffd01 80fbfffffd01 fefbfffffd01 | NODE of shape 3 at 0x7f0000000
06 00 00 04 73686f70 bffbfffffd01                  | ROOT: a module, borrowed, "shop", 0x120
04 07 e824                                         | THREAD 7, native 4712
05 00 0a 73686f702e7365727665                      | FRAME 0 shop.serve
06 01 01 05 7468696e67 00                          | ROOT: a local, owned, "thing", 0x7f0000000
00                                                 | END
"""


def _blocks(whole: bytes) -> list[bytes]:
    """Return the payloads of a file and its tail, by code that is independent of the reader."""
    assert whole.startswith(MAGIC)
    at, crc, payloads = len(MAGIC), zlib.crc32(MAGIC), []
    while len(whole) - at > 8:
        length, claimed = struct.unpack_from("<II", whole, at)
        payloads.append(whole[at + 8 : at + 8 + length])
        crc = zlib.crc32(payloads[-1], crc)
        assert crc == claimed
        at += 8 + length
    return [*payloads, whole[at:]]


def test_a_file_has_exactly_the_documented_bytes(tmp_path: Path) -> None:
    header, data, footer, tail = _blocks(write_file(tmp_path / "a.heap", small_graph).read_bytes())

    assert data.hex() == "".join(line.partition("|")[0].replace(" ", "") for line in DATA.splitlines())
    assert json.loads(header) == {
        "format": "heap-exporter",
        "version": 1,
        "content": "graph",
        "keys": False,
        "id": "20261122T070000Z-4711-a3f0",
        "taken_at": 1.7e9,
        "reason": "a reason",
        "walker": "portable",
        "pid": 4711,
        "uptime_seconds": None,
        "python_version": "3.13.0",
        "implementation": "cpython",
        "threads": {"7": "MainThread"},
        "predicted_bytes": None,
        "note": "",
        "private_bytes": None,
        "allocated_bytes": None,
        "service": "",
        "allocations": None,
        "lost": None,
    }
    assert json.loads(footer) == {
        "objects": 4,
        "references": 5,
        "duration_seconds": 0.5,
        "pause_seconds": 0.25,
        "cpu_seconds": 0.5,
    }
    assert tail == struct.pack("<I", len(footer)) + b"HEAP"
