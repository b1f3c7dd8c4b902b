"""What is held from outside the graph, as far as Python can see: modules, and what other threads are at."""

from __future__ import annotations

import inspect
import sys
import threading
import types
from collections.abc import Callable, Iterator

from heap_exporter.heapfile.encoder import GraphEncoder
from heap_exporter.heapfile.format import LOCAL, MODULE, PLACE_SHIFT
from heap_exporter.walker.naming import LONGEST_NAME, is_identifier
from heap_exporter.walker.own import in_package

MAX_FRAMES = 200
"""Frames of a thread that are told, the innermost first."""

LOCALS_ARE_HARMLESS = sys.version_info >= (3, 13)
"""Whether reading the locals of a running frame leaves no trace.

Before 3.13, it puts them into a dict that the frame keeps: they would live on until the function returns.
"""


def write_roots(encoder: GraphEncoder, own: set[int], rest: Callable[[], None]) -> None:
    """Write the modules, and the frames of all threads but this one and ours; no object of ``own`` is told.

    Locals are told by Python 3.13 and newer only, see :data:`LOCALS_ARE_HARMLESS`; those of this thread never are.
    """
    for name, module in dict.copy(sys.modules).items():
        if type(name) is str and type(module) is types.ModuleType and id(module) not in own:
            encoder.root(MODULE, id(module) >> PLACE_SHIFT, _dotted(name), owned=False)
    rest()
    running = sys._current_frames()
    del running[threading.get_ident()]  # a frame that refers to itself would keep the whole walk alive
    for ident, innermost in running.items():
        frames = list(_frames(innermost))
        if not any(in_package(_module(frame)) for frame in frames):
            encoder.thread(ident)
            for depth, frame in enumerate(frames):
                encoder.frame(depth, f"{_module(frame)}.{frame.f_code.co_qualname}")
                if LOCALS_ARE_HARMLESS and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
                    _write_locals(encoder, frame, own)
        rest()


def _write_locals(encoder: GraphEncoder, frame: types.FrameType, own: set[int]) -> None:
    code = frame.f_code
    in_cells = {*code.co_cellvars, *code.co_freevars}  # whose objects are held by a cell, which is in the graph
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
    """Return the name of a module, or nothing if it is none."""
    return name if len(name) <= LONGEST_NAME and all(map(str.isidentifier, name.split("."))) else ""
