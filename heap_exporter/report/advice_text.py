"""What to do about a leak, one sentence or two for each leak pattern and each cause."""

from __future__ import annotations

from heap_exporter.model import Cause, LeakAlert
from heap_exporter.model.paths import LeakPattern

_PATTERN_ADVICE = {
    LeakPattern.UNCOLLECTED_CYCLES: (
        "Only reference cycles hold these, and the garbage collector does not free them: check for gc.disable() "
        "and gc.freeze(), and whether __del__ or a callback creates them again. A weak reference breaks a cycle."
    ),
    LeakPattern.HELD_BY_C_CODE: (
        "No Python object refers to these, C code does: callbacks of atexit, or an extension module that does not "
        "release a reference, or that keeps references where the garbage collector does not see them."
    ),
    LeakPattern.LRU_CACHE_ON_A_METHOD: (
        "lru_cache on a method keeps every instance that the method was called on: cache in the instance "
        "(functools.cached_property), or cache a function of plain values."
    ),
    LeakPattern.LRU_CACHE: (
        "This lru_cache has no limit, or one that is too large: set a maxsize that fits, or call cache_clear()."
    ),
    LeakPattern.LOGGING_HANDLERS: (
        "Handlers are added repeatedly, perhaps for each request: add them once, where logging is configured, or "
        "remove them."
    ),
    LeakPattern.LOGGERS: (
        "A logger is never freed: do not create loggers by request, connection or id; put these into the message."
    ),
    LeakPattern.EXCEPTION_TRACEBACKS: (
        "A stored exception keeps its traceback, and so the local variables of all its frames: store its text, or "
        "error.with_traceback(None)."
    ),
    LeakPattern.ENDLESS_THREADS: ("Threads are started and do not end: let them return, or use a thread pool."),
    LeakPattern.FINALIZERS: (
        "These wait for weakref.finalize: the arguments of a finalizer must not refer to the object that it watches."
    ),
    LeakPattern.GC_GARBAGE: (
        "gc.DEBUG_SAVEALL keeps everything that the garbage collector finds in gc.garbage: unset it."
    ),
    LeakPattern.WARNING_REGISTRY: (
        "Each warning with a new text is stored: take the variable part out of the message, or filter the warning."
    ),
    LeakPattern.PENDING_TASKS: (
        "Tasks wait for something that does not happen: await them with a time limit (asyncio.timeout), cancel "
        "them, or start them in a TaskGroup."
    ),
    LeakPattern.EVENT_LOOP_TIMERS: (
        "Callbacks are scheduled faster than they run: cancel the handles that call_later() and call_at() return."
    ),
    LeakPattern.THREAD_LOCAL_DATA: (
        "Thread-local data exist as long as their thread, and the threads of a pool do not end: clear the data "
        "after each job."
    ),
    LeakPattern.CONTEXT_VARIABLES: (
        "The value of a context variable stays in every context that was copied from this one: reset() it with "
        "the token that set() returns."
    ),
    LeakPattern.LISTENERS: (
        "Bound methods are registered as listeners and never removed: unregister them, or store a weakref.WeakMethod."
    ),
    LeakPattern.UNFINISHED_GENERATORS: (
        "A generator that was started and not finished keeps its local variables: exhaust it or close() it."
    ),
    LeakPattern.CLOSURES: (
        "A function keeps the variables of its closure as long as it exists: drop the function, or let it refer "
        "to less."
    ),
    LeakPattern.WEAK_KEYS_KEPT_BY_VALUES: (
        "An entry of a WeakKeyDictionary goes away with its key: no value may refer to its own key, which it then "
        "keeps."
    ),
    LeakPattern.UNBOUNDED_MAPPING: (
        "Entries are added and never removed: give the mapping a limit, let entries expire, or use a "
        "weakref.WeakValueDictionary."
    ),
    LeakPattern.UNBOUNDED_COLLECTION: (
        "Items are added and never removed: remove them when they are done, or set a limit as "
        "collections.deque(maxlen=…) does."
    ),
    LeakPattern.ENDLESS_CHAIN: ("Objects refer to one another in a chain that grows: limit its length."),
}

_CAUSE_ADVICE = {
    Cause.PYTHON_OBJECTS: (
        "Compare two snapshots (heap-exporter report a.heap b.heap): the report names the type that grows and the "
        "object that holds it."
    ),
    Cause.UNCOLLECTED_CYCLES: (
        "Let the garbage collector run: remove gc.disable() and raised thresholds, or call gc.collect() between "
        "requests; gc.freeze() after start-up keeps its cost low. Look at gc.garbage, and unset gc.DEBUG_SAVEALL."
    ),
    Cause.NATIVE: (
        "Snapshots do not show it: the memory belongs to C code or to mappings. See which group of mappings grew, "
        "run a copy of the service under `memray run --native` (or heaptrack), and look for extension objects "
        "that are never closed and for threads that never end."
    ),
    Cause.FRAGMENTATION: (
        "Nothing leaks, but freed memory is not returned to the system. Set MALLOC_ARENA_MAX=2, preload jemalloc, "
        "or have malloc_trim(0) called after peaks. If long-lived objects keep pymalloc's arenas, create them "
        "before the peaks, or run the peaks in a process that ends. Recycling workers (gunicorn --max-requests) "
        "limits it."
    ),
    Cause.FILE_OR_SHARED: (
        "No private memory grows. The kernel drops pages of mapped files when it needs them; shared memory stays "
        "until it is unlinked: look into /dev/shm, and at multiprocessing.shared_memory and mmap objects."
    ),
    Cause.UNATTRIBUTED: (
        "Compare two snapshots first; if the Python objects did not grow, treat it as native. The native walker "
        "on glibc 2.33 and newer, without PYTHONMALLOC, shows more."
    ),
}


def pattern_advice(pattern: LeakPattern | None) -> str:
    """Return the advice about a leak pattern as text, "" without a pattern."""
    return _PATTERN_ADVICE[pattern] if pattern else ""


def cause_advice(cause: Cause | None) -> str:
    """Return the advice about a cause of growth as text, "" without a cause."""
    return _CAUSE_ADVICE[cause] if cause else ""


def alert_advice(alert: LeakAlert) -> str:
    """Return the advice about a confirmed leak as text: by its leak pattern, or else by its cause."""
    pattern = alert.accumulation.pattern if alert.accumulation else None
    return pattern_advice(pattern) or cause_advice(alert.verdict.cause)
