"""Accumulations and their paths as JSON.

In a document that users read a step is an object with names; in the note of a recording it is an array, which is short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from heap_exporter.model.accumulations import Accumulation
from heap_exporter.model.paths import LeakPattern, RetainerPath, Step, StepKind


def step_document(step: Step) -> dict[str, Any]:
    """Return a step as an object."""
    return step._asdict()


def path_document(path: RetainerPath) -> list[dict[str, Any]]:
    """Return the steps of a path as objects."""
    return [step_document(step) for step in path]


def read_path(document: Sequence[Mapping[str, str]]) -> RetainerPath:
    """Return the path that :func:`path_document` wrote. Raises ``KeyError`` and ``ValueError`` for another one."""
    return RetainerPath(Step(StepKind(each["kind"]), each["owner_type"], each["name"]) for each in document)


def read_suspect(document: Mapping[str, Any]) -> Accumulation:
    """Return the accumulation of a suspect of a ``report`` document.

    Raises ``KeyError`` and ``ValueError`` if it is not one.
    """
    return Accumulation(
        type_name=document["type_name"],
        holder=read_path(document["holder_steps"]),
        path=read_path(document["steps"]),
        fingerprint=document["fingerprint"],
        objects=document["objects"]["growth"],
        bytes=document["total_bytes"]["growth"],
        bytes_per_minute=document["bytes_per_minute"],
        share=document["share"],
        pattern=_pattern(document["pattern"]),
        native_bytes=document["native_bytes"],
    )


def accumulation_note(accumulation: Accumulation) -> dict[str, Any]:
    """Return an accumulation as a note, with the steps of its paths as arrays."""
    return asdict(accumulation)  # a step is a tuple, which JSON writes as an array


def read_accumulation(note: Mapping[str, Any]) -> Accumulation:
    """Return the accumulation that :func:`accumulation_note` wrote.

    Raises ``KeyError``, ``TypeError`` and ``ValueError`` for another note.
    """
    typed = {
        "holder": tuple(map(read_step, note["holder"])),
        "path": tuple(map(read_step, note["path"])),
        "pattern": _pattern(note["pattern"]),
    }
    return Accumulation(**{**note, **typed})


def read_step(note: Sequence[str]) -> Step:
    """Return the step of a note. Raises ``TypeError`` and ``ValueError`` for another note."""
    kind, owner_type, name = note
    return Step(StepKind(kind), owner_type, name)


def _pattern(name: str | None) -> LeakPattern | None:
    return LeakPattern(name) if name else None
