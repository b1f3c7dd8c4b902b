"""The identity of a leak: the same in every process, on every machine, on every day."""

from __future__ import annotations

import hashlib

from heap_exporter.model.paths import RetainerPath
from heap_exporter.model.runtime_names import family_of, normalised

DIGITS = 12


def fingerprint(holder: RetainerPath, type_name: str) -> str:
    """Return the fingerprint of a suspect: 12 hexadecimal digits of its retainer path and the type that accumulates.

    Names made at run time are replaced by their family, because they change from run to run: names of threads,
    attributes and types. The module ``__mp_main__`` counts as ``__main__``: multiprocessing renames it in the processes
    that it starts.
    """
    fields = [field for step in holder for field in normalised(step)]
    text = "\n".join([*fields, family_of(type_name)]).replace("__mp_main__", "__main__")
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
