"""A file of known leaks, by fingerprint: a check fails only for others. It is JSON, sorted, to be committed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from heap_exporter.errors import HeapExporterError
from heap_exporter.runtime.json_input import parse_json

VERSION = 1


@dataclass(frozen=True, slots=True, order=True)
class KnownLeak:
    """One leak of a test; ``holder`` is the retainer path as text, for the people who read the file."""

    test: str
    fingerprint: str
    type_name: str
    holder: str


def read_known_leaks(path: Path) -> frozenset[KnownLeak]:
    """Return the leaks in a file. Raises :class:`HeapExporterError` if it cannot be read or is no such file."""
    try:
        return _leaks_of(parse_json(path.read_bytes()))
    except OSError as error:
        raise HeapExporterError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise HeapExporterError(f"{path} is not a file of known leaks of version {VERSION}: write it again") from error


def _leaks_of(document: Any) -> frozenset[KnownLeak]:
    if document["version"] != VERSION:
        raise ValueError(document["version"])
    return frozenset(KnownLeak(**leak) for leak in document["leaks"])


def write_known_leaks(path: Path, leaks: Iterable[KnownLeak]) -> None:
    """Write a file of known leaks. Raises ``OSError``."""
    document = {"version": VERSION, "leaks": [asdict(leak) for leak in sorted(leaks)]}
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
