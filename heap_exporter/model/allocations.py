"""Where memory is allocated: stacks of Python calls with estimates from samples."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from heap_exporter.runtime.short_repr import short_repr


class AllocationHooks(StrEnum):
    """Which hooks are installed in the allocators of Python.

    ``full`` hooks are on each ``free()``, ``light`` ones are not; ``displaced`` ones were replaced by those of another
    tool, and see nothing.
    """

    OFF = "off"
    LIGHT = "light"
    FULL = "full"
    DISPLACED = "displaced"


@dataclass(frozen=True, slots=True)
class CodeLine:
    """A line of a function. ``file`` is relative to the entry of ``sys.path`` that it lies in.

    ``is_library`` is whether the file belongs to Python, to an installed package or to heap-exporter.
    """

    file: str
    line: int
    function: str
    is_library: bool = False

    __repr__ = short_repr


class AllocationSite(NamedTuple):
    """A stack of calls that allocated, innermost call first; empty where no Python code ran.

    The numbers are estimates from samples: ``live_…`` of what is not freed yet, ``allocated_…`` of all since the hooks
    were installed. ``plus_minus_bytes`` is two standard errors of ``live_bytes``. ``stack`` is the number of the stack
    in its profile.
    """

    stack: int
    calls: tuple[CodeLine, ...]
    live_bytes: float
    live_objects: float
    plus_minus_bytes: float
    allocated_bytes: float
    allocated_objects: float

    def __repr__(self) -> str:
        return short_repr(self)


@dataclass(frozen=True, slots=True)
class AllocationProfile:
    """All stacks that allocated since the hooks were installed at ``started_at`` (Unix seconds, as ``taken_at``).

    ``interval_bytes`` is the mean number of bytes from one sample to the next, ``samples`` their number, and
    ``cpu_seconds`` the time that taking them took.
    """

    started_at: float
    taken_at: float
    hooks: AllocationHooks
    interval_bytes: int
    samples: int
    cpu_seconds: float
    sites: tuple[AllocationSite, ...]

    __repr__ = short_repr


@dataclass(frozen=True, slots=True)
class AllocationGrowth:
    """Memory that one line allocated and that is not freed, with two standard errors.

    ``caller`` is the innermost line of the application that led there, ``None`` if that is ``line`` itself or unknown.
    """

    line: CodeLine
    caller: CodeLine | None
    bytes: float
    plus_minus_bytes: float
    objects: float

    __repr__ = short_repr
