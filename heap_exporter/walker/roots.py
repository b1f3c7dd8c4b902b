"""The roots of a heap walk, as far as Python shows them: modules, and frames of other threads."""

from __future__ import annotations

import inspect
import sys
import threading
import types
from collections.abc import Callable, Iterator

from heap_exporter.heapfile.encoder import GraphEncoder
from heap_exporter.heapfile.format import LOCAL, MODULE, PLACE_SHIFT
from heap_exporter.walker.naming import MAX_NAME_LENGTH, is_identifier
from heap_exporter.walker.own_objects import in_package

MAX_FRAMES = 200
"""Frames of a thread that are written, the innermost first."""

LOCALS_ARE_HARMLESS = sys.version_info >= (3, 13)
"""Whether reading the local variables of a running frame has no side effect.

Before Python 3.13 it copies them to a dict of the frame, which would keep them until the function returns.
"""


def write_roots(encoder: GraphEncoder, own: set[int], release_gil: Callable[[], None]) -> None:
    """Write the roots of the heap: modules, and frames of other threads than heap-exporter's; none of ``own``.

    Local variables are written from Python 3.13 on, see :data:`LOCALS_ARE_HARMLESS`, and never those of this thread.
    """
    for name, module in dict.copy(sys.modules).items():
        if type(name) is str and type(module) is types.ModuleType and id(module) not in own:
            encoder.root(MODULE, id(module) >> PLACE_SHIFT, _dotted(name), owned=False)
    release_gil()
    running = sys._current_frames()
    # A reference from this frame to itself would keep the walk's objects alive.
    del running[threading.get_ident()]
    for ident, innermost in running.items():
        frames = list(_frames(innermost))
        if not any(in_package(_module(frame)) for frame in frames):
            encoder.thread(ident)
            for depth, frame in enumerate(frames):
                encoder.frame(depth, f"{_module(frame)}.{frame.f_code.co_qualname}")
                if LOCALS_ARE_HARMLESS and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
                    _write_locals(encoder, frame, own)
        release_gil()


def _write_locals(encoder: GraphEncoder, frame: types.FrameType, own: set[int]) -> None:
    code = frame.f_code
    in_cells = {*code.co_cellvars, *code.co_freevars}  # a cell refers to these objects, and is in the graph
    for name, value in list(frame.f_locals.items()):
        if id(value) not in own and id(type(value)) not in own:
            shown = name if is_identifier(name) else ""
            encoder.root(LOCAL, id(value) >> PLACE_SHIFT, shown, owned=name not in in_cells)


def _frames(innermost: types.FrameType) -> Iterator[types.FrameType]:
    frame: types.FrameType | None = innermost
    for _ in range(MAX_FRAMES):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


def _module(frame: types.FrameType) -> str:
    name = frame.f_globals.get("__name__") if type(frame.f_globals) is dict else None
    return _dotted(name) if type(name) is str else ""


def _dotted(name: str) -> str:
    """Return the name of a module among the heap's roots, ``""`` if it is not a valid one."""
    return name if len(name) <= MAX_NAME_LENGTH and all(map(str.isidentifier, name.split("."))) else ""
