"""Small objects with native memory: each upload keeps its compressor, which has hundreds of KiB from malloc."""

from __future__ import annotations

import lzma
from collections.abc import Callable


class Upload:
    def __init__(self, name: str) -> None:
        self.name = name
        self.packer = lzma.LZMACompressor(preset=0)


UPLOADS: dict[str, Upload] = {}


def main(snapshot: Callable[[], None]) -> None:
    for number in range(60):
        if number == 20:
            snapshot()
        UPLOADS[f"upload {number}"] = Upload(f"file {number}")
    snapshot()
