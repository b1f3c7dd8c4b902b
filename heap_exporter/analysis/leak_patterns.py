"""Known culprits: what a path must look like, and the line of advice that goes with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from heap_exporter.analysis.results import HoldingName


class LeakPattern(NamedTuple):
    """One entry of the catalogue. ``pattern`` is looked for in a trail: "label <type> → label <type> → …"."""

    name: str
    pattern: re.Pattern[str]
    advice: str


def _culprit(name: str, pattern: str, advice: str) -> LeakPattern:
    return LeakPattern(name, re.compile(pattern), advice)


PARTICULAR = (
    _culprit(
        "uncollected cycles",
        r"^garbage <>",
        "Only cycles hold these and the collector does not take them: see whether gc.disable() or gc.freeze() was "
        "called, and whether __del__ or a callback makes them again; a weak reference breaks a cycle.",
    ),
    _culprit(
        "held by C code",
        r"^held from outside <>",
        "No Python object holds these, C code does: callbacks of atexit, or an extension module that forgot to release "
        "a reference or keeps them in a structure that the collector is not shown.",
    ),
    _culprit(
        "lru_cache on a method",
        r" <(?!module>)[^>]+> → [^→]*\.[^→]* <functools\._lru_cache_wrapper> → lru_cache entry",
        "lru_cache on a method keeps every instance it was called on: cache in the instance "
        "(functools.cached_property), or have a function of plain values cached.",
    ),
    _culprit(
        "lru_cache",
        r"<functools\._lru_cache_wrapper> → lru_cache entry",
        "This lru_cache has room for all its calls: give it a maxsize that fits, or call cache_clear().",
    ),
    _culprit(
        "logging handlers",
        r"Logger\.handlers <list> → list item",
        "Handlers are added again and again, per request perhaps: add them once, where logging is set up, or remove "
        "them.",
    ),
    _culprit(
        "loggers",
        r"Manager\.loggerDict <dict> → dict (value|key)",
        "A logger lives for ever: do not make loggers by request, connection or id; put those into the message.",
    ),
    _culprit(
        "exception tracebacks",
        r"\.__traceback__ <|→ traceback frame <",
        "A kept exception keeps its traceback, and that the local variables of all frames on its way: keep its text, "
        "or error.with_traceback(None).",
    ),
    _culprit(
        "threads that never end",
        r"\bthreading\._active <dict> → dict (value|key)",
        "Threads are started and do not end: let them return, or use a pool.",
    ),
    _culprit(
        "finalizers",
        r"weakref\.finalize\._registry",
        "These wait for weakref.finalize: what a finalizer is given must not refer to the object it waits for.",
    ),
    _culprit(
        "gc.garbage",
        r"\bgc\.garbage <list>",
        "gc.DEBUG_SAVEALL keeps all that the collector finds in gc.garbage: switch it off.",
    ),
    _culprit(
        "warnings of ever new text",
        r"__warningregistry__ <dict>",
        "Each warning of a new text is remembered: take what differs out of the message, or filter it.",
    ),
    _culprit(
        "forgotten tasks",
        r"<_asyncio\.Task>|<asyncio\.tasks\.Task>",
        "Tasks wait for what does not come: await them with a time limit (asyncio.timeout), cancel them, or start them "
        "in a TaskGroup.",
    ),
    _culprit(
        "timers of the event loop",
        r"event loop › (timers|ready callbacks)",
        "Callbacks are scheduled faster than they run: cancel the handles that call_later() and call_at() return.",
    ),
    _culprit(
        "thread-local data",
        r"→ thread-local attribute <",
        "Thread-local data live as long as their thread, and a pool's threads live for ever: clear them after each "
        "job.",
    ),
    _culprit(
        "context variables",
        r"→ context value <",
        "What a context variable is set to stays in every context copied meanwhile: reset() it with the token of "
        "set().",
    ),
    _culprit(
        "listeners",
        r"(item|value) <method>",
        "Bound methods are registered as listeners and never removed: unregister them, or keep weakref.WeakMethod.",
    ),
    _culprit(
        "generators that were not finished",
        r"(item|value|key) <(async_)?generator>",
        "A generator that was begun and not finished keeps its local variables: exhaust it or close() it.",
    ),
    _culprit(
        "closures",
        r"→ closure [^→]* <|(item|value) <function>",
        "A function keeps what it closes over for as long as it is kept itself: forget the function, or hand it less.",
    ),
)
"""What shows anywhere on the way, or behind what accumulates. The first that fits counts."""

CONTAINERS = (
    _culprit(
        "weak keys that their values keep",
        r"WeakKeyDictionary\.data <dict> → dict value <[^→]*>$",
        "Entries of a WeakKeyDictionary go with their keys: see that no value refers to its own key, which it then "
        "keeps alive.",
    ),
    _culprit(
        "a mapping without a limit",
        r"[^→ ] <(dict|collections\.(OrderedDict|defaultdict|Counter))> → [A-Za-z]+ (value|key) <[^→]*>$",
        "Entries are put in and not taken out: give it a limit, let entries expire, or use a "
        "weakref.WeakValueDictionary.",
    ),
    _culprit(
        "a collection without a limit",
        r"[^→ ] <(list|set|collections\.deque)> → (list|set|deque) item <[^→]*>$",
        "Items are put in and not taken out: take out what is done, or limit it as collections.deque(maxlen=…) does.",
    ),
    _culprit(
        "a chain without an end",
        r" <([^→]+)> → [^→ ]+\.[^→ ]+ <\1>$",
        "Objects hold one another in a chain that grows and grows: cut it off at a length that is enough.",
    ),
)
"""What holds one thing after another. The one nearest to what accumulates counts."""


def advice(way: Sequence[tuple[str, str]], onwards: Iterable[Sequence[tuple[str, str]]] = ()) -> str:
    """Return the advice for what accumulates, "" where none is known.

    ``way`` are the (label, type name) from below the root to it, ``onwards`` those of ways on from there. What they
    have in common with the particular entries counts first, then the container that holds it.
    """
    texts = [_text([*way, *further]) for further in ((), *onwards)]
    for culprit in PARTICULAR:
        if any(map(culprit.pattern.search, texts)):
            return culprit.advice
    nearest_first = (_text(way[:length]) for length in range(len(way), 0, -1))
    found = (culprit for text in nearest_first for culprit in CONTAINERS if culprit.pattern.search(text))
    return next((culprit.advice for culprit in found), "")


def holding(top_label: str) -> HoldingName:
    """Return in which of the three ways is held what is below the topmost group of this label."""
    if top_label == "garbage":
        return "garbage"
    return "held from outside" if top_label == "held from outside" else "reachable"


def _text(trail: Sequence[tuple[str, str]]) -> str:
    return " → ".join(f"{label} <{name}>" for label, name in trail if label != "modules")
