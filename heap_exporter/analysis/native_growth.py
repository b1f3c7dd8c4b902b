"""Finds the objects that own native memory: a compressor, a TLS context or an image has memory that no object shows.

Two snapshots show by how much the memory of the process grew more than its objects. Objects whose number grew at the
same time may own that memory: first those of types that are known to own native memory, else the deepest ones among
the accumulating objects.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from heap_exporter.analysis.chance import HEAVY_NATIVE_BYTES_EACH, HEAVY_OBJECTS, exceeds_chance
from heap_exporter.analysis.matching import Pair
from heap_exporter.analysis.results import Heap
from heap_exporter.model.paths import StepKind

MIN_NATIVE_BYTES = 1024 * 1024
MIN_NATIVE_SHARE = 0.5
"""Minimum growth of native memory for which handles are searched, and its minimum share of all growth."""

MIN_BYTES_EACH = 1024
"""Minimum native memory for each object of a type that is not in :data:`HANDLE_PACKAGES`."""

MAX_NUMBER_RATIO = 2.0
"""Two types grew together if the growth of one is at most this many times the growth of the other."""

HANDLE_PACKAGES = frozenset(
    {
        "_bz2", "_ctypes", "_hashlib", "_lzma", "_socket", "_sqlite3", "_ssl", "bz2", "ctypes", "hashlib", "lzma",
        "mmap", "pyexpat", "shelve", "socket", "sqlite3", "ssl", "zlib",
        "MySQLdb", "OpenSSL", "PIL", "_cffi_backend", "av", "brotli", "cryptography", "cv2", "duckdb", "fitz", "grpc",
        "h5py", "lmdb", "lxml", "lz4", "netCDF4", "numpy", "onnxruntime", "pandas", "pikepdf", "polars", "psycopg",
        "psycopg2", "pyarrow", "pycurl", "pyodbc", "rasterio", "rocksdb", "shapely", "snappy", "tensorflow",
        "tokenizers", "torch", "uvloop", "zmq", "zstandard",
    }
)  # fmt: skip  # the standard library, then others
"""Packages whose objects own native memory: the first part of the names of their types."""


def native_growth(before: Heap, after: Heap) -> int | None:
    """Return by how many bytes the memory in use grew more than the objects of two snapshots, ``None`` if unknown."""
    grown = [
        later - earlier
        for earlier, later in (
            (before.header.private_bytes, after.header.private_bytes),
            (before.header.allocated_bytes, after.header.allocated_bytes),
        )
        if earlier is not None and later is not None
    ]
    objects = max(0, after.shallow_bytes - before.shallow_bytes)
    return max(0, max(grown) - objects) if grown else None


def find_handles(pairs: Sequence[Pair], native_bytes: int) -> tuple[Pair, Pair] | None:
    """Return the group that accumulates, and in or below it the handles that most likely own the new native memory.

    ``pairs`` are all pairs of two snapshots, the root first. ``None`` if the objects gained more than ``native_bytes``,
    or if the number of objects grew nowhere.
    """
    if native_bytes < MIN_NATIVE_BYTES or native_bytes < MIN_NATIVE_SHARE * (native_bytes + pairs[0].gained_bytes):
        return None
    found = [
        (pair, handle)
        for pair in _accumulating(pairs[0], native_bytes)
        if (handle := _handle(pair, native_bytes)) is not None
    ]
    known = [each for each in found if _is_known(each[1])]
    return max(known or found, key=lambda each: each[1].objects.growth, default=None)


def _accumulating(holder: Pair, native_bytes: int) -> Iterator[Pair]:
    """Yield the topmost groups below a holder whose number grew; the holder is in both snapshots."""
    for pair in holder.children:
        if pair.step.kind is StepKind.GARBAGE:
            continue  # some garbage exists at any moment
        if pair.type_name and _grew_in_number(pair, native_bytes):
            yield pair
        elif pair.is_in_both:
            yield from _accumulating(pair, native_bytes)


def _grew_in_number(pair: Pair, native_bytes: int) -> bool:
    gained, before = pair.objects.growth, pair.objects.before
    is_heavy = gained >= HEAVY_OBJECTS and native_bytes / gained >= HEAVY_NATIVE_BYTES_EACH
    return (is_heavy and gained > math.sqrt(before)) or exceeds_chance(gained, before)


def _handle(pair: Pair, native_bytes: int) -> Pair | None:
    """Return the objects that own native memory: the accumulating ones, or about as many below them."""
    number = pair.objects.growth
    below = [each for each in (pair, *pair.all_below()) if _is_as_many(each.objects.growth, number)]
    known = [each for each in below if _is_known(each)]
    if known:
        return known[0]
    candidates = [each for each in below if "." in each.type_name]
    is_likely = exceeds_chance(number, pair.objects.before) and native_bytes >= MIN_BYTES_EACH * number
    return candidates[-1] if candidates and is_likely else None


def _is_as_many(growth: int, number: int) -> bool:
    return number <= MAX_NUMBER_RATIO * growth and growth <= MAX_NUMBER_RATIO * number


def _is_known(pair: Pair) -> bool:
    return pair.type_name.partition(".")[0] in HANDLE_PACKAGES and "." in pair.type_name
