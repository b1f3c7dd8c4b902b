"""Typed steps from the text that a report shows for them, for tests that spell paths out."""

from __future__ import annotations

from heap_exporter.model import RetainerPath, Step, StepKind
from heap_exporter.report.path_text import INWARDS, step_text

_FULL_TYPE_NAMES = {name: f"collections.{name}" for name in ("deque", "OrderedDict", "defaultdict", "Counter")}

_LAST_WORDS = {
    "item": StepKind.ITEM,
    "key": StepKind.DICT_KEY,
    "value": StepKind.DICT_VALUE,
}

_FIXED = {step_text(Step(kind)): Step(kind) for kind in StepKind if kind is not StepKind.INSIDE}
_EVENT_LOOP = {
    "timers": Step(StepKind.EVENT_LOOP_ATTRIBUTE, "", "_scheduled"),
    "ready callbacks": Step(StepKind.EVENT_LOOP_ATTRIBUTE, "", "_ready"),
}


def path(*texts: str) -> RetainerPath:
    """Return the steps of a path. A thread or a task with its frames and variables may be one text, as in a report."""
    return RetainerPath(
        _step(part, is_inner=number > 0) for text in texts for number, part in enumerate(text.split(INWARDS))
    )


def step(text: str) -> Step:
    """Return one step; the last one if there are more."""
    return path(text)[-1]


def _step(text: str, *, is_inner: bool) -> Step:
    first, _, last = text.rpartition(" ")
    if text in _FIXED and text:
        return _FIXED[text]
    if text.startswith("thread "):
        return Step(StepKind.THREAD, "", text.removeprefix("thread "))
    if is_inner and text.startswith("task "):
        return Step(StepKind.TASK, "", text.removeprefix("task ").removesuffix("()"))
    if is_inner:
        in_frame = Step(StepKind.LOCAL_VARIABLE, "", text)
        in_thread = Step(StepKind.FRAME, "", text[:-2]) if text.endswith("()") else in_frame
        return _EVENT_LOOP.get(text, in_thread)
    if first and last in _LAST_WORDS:
        return Step(_LAST_WORDS[last], _FULL_TYPE_NAMES.get(first, first))
    if first.endswith(" local"):
        return Step(StepKind.LOCAL_VARIABLE, first.removesuffix(" local"), last)
    if first == "closure":
        return Step(StepKind.CLOSURE_VARIABLE, "", last)
    owner, _, name = text.rpartition(".")
    if not owner:
        return Step(StepKind.ROOT if not text else StepKind.MODULE, "", text)
    is_class = owner.rpartition(".")[2][:1].isupper()
    if is_class and "." not in owner:
        return Step(StepKind.ATTRIBUTE, owner, name)
    return Step(StepKind.CLASS_ATTRIBUTE if is_class else StepKind.MODULE_GLOBAL, owner, name)
