"""The parts of types in asyncio's scheduling: tasks, callbacks and loops have path groups of their own."""

from __future__ import annotations

from enum import Enum, auto

from heap_exporter.analysis.edge_labels import CALLBACKS, TASKS, is_event_loop
from heap_exporter.analysis.graph import EMPTY, REFERENT
from heap_exporter.analysis.portable.contents import SnapshotContents


class AsyncioPart(Enum):
    """The part of a type in asyncio's scheduling, in the order in which the objects get their path groups."""

    TASK = auto()
    CALLBACK = auto()
    LOOP = auto()
    WAKER = auto()
    """Refers to a task only while the task waits, or until the task runs."""


_WAKERS = (
    "_asyncio.Future",
    "asyncio.futures.Future",
    "TaskStepMethWrapper",
    "_asyncio.TaskStepMethWrapper",
    "builtin_function_or_method",
    "method",
)

PARTS = {
    **dict.fromkeys(TASKS, AsyncioPart.TASK),
    **dict.fromkeys(CALLBACKS, AsyncioPart.CALLBACK),
    **dict.fromkeys(_WAKERS, AsyncioPart.WAKER),
}
"""The part of each type that its name alone decides; ``_kernels/asyncio_parts.c`` has the same list."""


def asyncio_parts(types: list[str]) -> dict[int, AsyncioPart]:
    """Return the parts of the types of a graph, by their index; none without a task, a callback or a loop."""
    parts = {}
    for number, name in enumerate(types):
        part = AsyncioPart.LOOP if is_event_loop(name) else PARTS.get(name)
        if part is not None:
            parts[number] = part
    return parts if set(parts.values()) - {AsyncioPart.WAKER} else {}


def label_of_task(contents: SnapshotContents, task: int) -> int:
    """Return the label of a task in the snapshot's graph: the name of its coroutine's function."""
    coroutines = (contents.type_number("coroutine"), contents.type_number("generator"))
    for target in contents.targets[contents.offsets[task] : contents.offsets[task + 1]]:
        if target != EMPTY and (shape := contents.shapes[contents.shape_of[target]]).type in coroutines:
            return shape.function
    return REFERENT
