"""Encodes the messages of the pprof format: https://github.com/google/pprof/blob/main/proto/profile.proto.

A profile is a gzipped protocol buffer. The fields of its messages are numbered 1, 2 … in most cases.
"""

from __future__ import annotations

from collections.abc import Iterable

SAMPLE_TYPE, SAMPLE, LOCATION, FUNCTION, STRINGS = 1, 2, 4, 5, 6
TIME, DURATION, PERIOD_TYPE, PERIOD, COMMENT, DEFAULT_SAMPLE_TYPE = 9, 10, 11, 12, 13, 14
"""Field numbers of a profile."""

LINES_OF_LOCATION = 4

NANOSECONDS = 1_000_000_000

_VARINT, _BYTES = 0, 2


class StringTable(dict[str, int]):
    """The string table: a string gets its index at the first lookup."""

    def __missing__(self, text: str) -> int:
        number = self[text] = len(self)
        return number


def number_field(field: int, value: int) -> bytes:
    """Return a number as a field of a message."""
    return _varint(field << 3 | _VARINT) + _varint(value)


def message_field(field: int, content: bytes) -> bytes:
    """Return a message or a string as a field of a message."""
    return _varint(field << 3 | _BYTES) + _varint(len(content)) + content


def packed_field(field: int, values: Iterable[int]) -> bytes:
    """Return numbers as one field of a message."""
    return message_field(field, b"".join(map(_varint, values)))


def value_type(kind: int, unit: int) -> bytes:
    """Return what a value of a sample is: the indices of two strings, such as ``space`` and ``bytes``."""
    return number_field(1, kind) + number_field(2, unit)


def string_fields(strings: Iterable[str]) -> bytes:
    """Return the string table of a profile, which begins with ``""``."""
    return b"".join(message_field(STRINGS, text.encode("utf-8", "backslashreplace")) for text in strings)


def unix_nanoseconds(seconds: float) -> int:
    """Return Unix seconds as a number of the format."""
    return int(seconds * NANOSECONDS) % (1 << 63)


def _varint(value: int) -> bytes:
    """Return a number as LEB128, negative ones as 64-bit two's complement."""
    value &= (1 << 64) - 1
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
