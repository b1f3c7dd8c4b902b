"""A mapped file of which more and more pages are read."""

import mmap
import tempfile
from collections.abc import Callable


def main(step: Callable[[], None]) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"x" * (24 << 20))
        file.flush()
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            for number in range(24):
                sum(mapped[number << 20 : (number + 1) << 20 : 4096])
                step()
