"""What to do about a leak, one sentence or two for each leak pattern and each cause."""

from __future__ import annotations

from heap_exporter.model import Cause, LeakAlert, ReasonKind, Verdict
from heap_exporter.model.paths import LeakPattern
from heap_exporter.report.comparison_problem_text import uncompared_advice

_PATTERN_ADVICE = {
    LeakPattern.UNCOLLECTED_CYCLES: (
        "Only reference cycles hold these objects, and the garbage collector does not free them: check for "
        "gc.disable() and gc.freeze(), and for a __del__ or callback that refers to them again. "
        "A weak reference breaks a cycle."
    ),
    LeakPattern.HELD_BY_C_CODE: (
        "C code holds these objects; no Python object refers to them. Check callbacks registered with atexit, and "
        "extension modules that do not release their references or hide them from the garbage collector."
    ),
    LeakPattern.LRU_CACHE_ON_A_METHOD: (
        "lru_cache on a method keeps every instance on which the method was called: cache in the instance instead "
        "(functools.cached_property), or cache a function whose arguments are plain values."
    ),
    LeakPattern.LRU_CACHE: (
        "This lru_cache has no limit, or its limit is too large: set a smaller maxsize, or call cache_clear()."
    ),
    LeakPattern.LOGGING_HANDLERS: (
        "Handlers are added repeatedly, perhaps for each request: add them once, where logging is configured, "
        "or remove handlers that are no longer needed."
    ),
    LeakPattern.LOGGERS: (
        "Loggers are never freed: do not create a logger for each request, connection or id; put the id into the "
        "message."
    ),
    LeakPattern.EXCEPTION_TRACEBACKS: (
        "A stored exception keeps its traceback, and with it the local variables of all its frames: store the text of "
        "the exception, or error.with_traceback(None)."
    ),
    LeakPattern.ENDLESS_THREADS: (
        "Threads are started but never finish: make sure that their functions return, or use a thread pool."
    ),
    LeakPattern.FINALIZERS: (
        "weakref.finalize keeps these objects until it runs: its arguments must not refer to the object that it "
        "watches."
    ),
    LeakPattern.GC_GARBAGE: (
        "With gc.DEBUG_SAVEALL, the garbage collector puts all objects that it finds into gc.garbage and does "
        "not free them: unset this flag."
    ),
    LeakPattern.WARNING_REGISTRY: (
        "Python stores every warning with a different text: remove the variable part from the message, or filter "
        "the warning."
    ),
    LeakPattern.PENDING_TASKS: (
        "asyncio tasks wait for something that never happens: await them with a timeout (asyncio.timeout), cancel "
        "them, or start them in a TaskGroup."
    ),
    LeakPattern.EVENT_LOOP_TIMERS: (
        "Callbacks are scheduled faster than they run: call_later() and call_at() return a handle; call cancel() on "
        "the handles that are no longer needed."
    ),
    LeakPattern.THREAD_LOCAL_DATA: (
        "Thread-local data is kept until its thread finishes, and the threads of a pool do not finish: clear the "
        "data after each job."
    ),
    LeakPattern.CONTEXT_VARIABLES: (
        "The value of a context variable stays in every copy of the context in which it was set: call reset() with the "
        "token that set() returned."
    ),
    LeakPattern.LISTENERS: (
        "Bound methods are registered as listeners and never removed: unregister them, or store a weakref.WeakMethod."
    ),
    LeakPattern.UNFINISHED_GENERATORS: (
        "A generator that was started but not finished keeps its local variables: run it to completion, or call "
        "close()."
    ),
    LeakPattern.CLOSURES: (
        "A function keeps the variables of its closure as long as it exists: remove functions that are no longer "
        "needed, or make them use fewer variables of the enclosing function."
    ),
    LeakPattern.WEAK_KEYS_KEPT_BY_VALUES: (
        "An entry of a WeakKeyDictionary is removed when its key is freed. Here, the values refer to their own "
        "keys, so no entry is removed: store values that do not refer to their keys."
    ),
    LeakPattern.RUN_TIME_MODULES: (
        "Modules are put into sys.modules under new names and never removed: load each module once, under one name, "
        "or delete it from sys.modules when it is replaced."
    ),
    LeakPattern.RUN_TIME_ATTRIBUTES: (
        "Attributes are set under new names and never deleted: store such values in a dict with a limit, or delete "
        "the attributes that are no longer needed."
    ),
    LeakPattern.UNBOUNDED_MAPPING: (
        "Entries are added and never removed: give the mapping a limit, let entries expire, or use a "
        "weakref.WeakValueDictionary."
    ),
    LeakPattern.UNBOUNDED_COLLECTION: (
        "Items are added and never removed: remove items that are no longer needed, or set a limit, "
        "such as collections.deque(maxlen=…)."
    ),
    LeakPattern.ENDLESS_CHAIN: (
        "Objects form a chain of references that keeps growing: limit the length of the chain."
    ),
}

_CAUSE_ADVICE = {
    Cause.PYTHON_OBJECTS: (
        "Compare two snapshots (heap-exporter report a.heap b.heap): the report names the type that grows and the "
        "object that holds it."
    ),
    Cause.UNCOLLECTED_CYCLES: (
        "Let the garbage collector run: remove calls to gc.disable(), lower raised thresholds "
        "(gc.set_threshold), or call gc.collect() between "
        "requests; gc.freeze() after start-up makes collections cheaper. Check gc.garbage, and unset gc.DEBUG_SAVEALL."
    ),
    Cause.NATIVE: (
        "Compare two snapshots first: the report names the handles (SSL contexts, connections, images, tables) whose "
        "number grew with this memory, if there are any. Otherwise, the memory belongs to C code or to mappings "
        "without objects: check which group of mappings grew, run a copy of the service under `memray run --native` "
        "(or heaptrack), and look for threads that never finish."
    ),
    Cause.FRAGMENTATION: (
        "Nothing leaks, but freed memory is not returned to the system. Set MALLOC_ARENA_MAX=2, preload jemalloc, "
        "or call malloc_trim(0) after peaks of memory use. If long-lived objects keep pymalloc's arenas in use, "
        "create these objects before the peaks, or do the work that causes the peaks in a process that exits "
        "afterwards. Regular restarts of workers (gunicorn --max-requests) limit the memory that is kept."
    ),
    Cause.FILE_OR_SHARED: (
        "Private memory is not growing. The kernel frees pages of mapped files when it needs memory; shared "
        "memory stays until it is unlinked: check /dev/shm, and multiprocessing.shared_memory and mmap objects."
    ),
    Cause.LOST_REFERENCES: (
        "A C extension does not release references (Py_DECREF) or blocks of Python's allocator (PyMem_Free). Start "
        "with the packages that the named line calls: upgrade them, or report the bug with this text and an example."
    ),
    Cause.LOST_NATIVE_MEMORY: (
        "C code does not free() what it has allocated. Start with the packages that run when memory grows: upgrade "
        "them, or run a copy of the service under `memray run --native` to find the function that allocates."
    ),
    Cause.UNATTRIBUTED: (
        "Compare two snapshots first; if the Python objects did not grow, treat the growth as native memory. With "
        "glibc 2.33 or newer, the native heap walker, and PYTHONMALLOC unset, the exporter measures more kinds of "
        "memory."
    ),
}

_PYTHON_BUG_ADVICE = {
    ReasonKind.INTERNED_STRINGS: (
        "Python 3.12.0 to 3.12.6 never free interned strings, such as names of attributes (setattr) and parts of paths "
        "(pathlib): upgrade to Python 3.12.7 or newer."
    ),
    ReasonKind.INCREMENTAL_COLLECTOR: (
        "Python 3.14.0 to 3.14.4 free reference cycles late, with an incremental garbage collector: upgrade to Python "
        "3.14.5 or newer, or call gc.collect() between requests."
    ),
}


def python_bug_advice(*kinds: ReasonKind) -> str:
    """Return the advice about a bug of Python itself as text, by the first kind of reason that is one, "" for none."""
    return next((_PYTHON_BUG_ADVICE[kind] for kind in kinds if kind in _PYTHON_BUG_ADVICE), "")


def with_python_bug_advice(verdict: Verdict, advice: str) -> str:
    """Return an advice as text, after the advice about a bug of Python itself if the verdict shows one."""
    return f"{python_bug_advice(*(reason.kind for reason in verdict.reasons))} {advice}".strip()


def pattern_advice(pattern: LeakPattern | None) -> str:
    """Return the advice about a leak pattern as text, "" without a pattern."""
    return _PATTERN_ADVICE[pattern] if pattern else ""


def cause_advice(cause: Cause | None) -> str:
    """Return the advice about a cause of growth as text, "" without a cause."""
    return _CAUSE_ADVICE[cause] if cause else ""


def alert_advice(alert: LeakAlert) -> str:
    """Return the advice about a confirmed leak as text: by its leak pattern, or else by its cause."""
    if alert.comparison_problem:
        return uncompared_advice(alert.comparison_problem)
    pattern = alert.accumulation.pattern if alert.accumulation else None
    return with_python_bug_advice(alert.verdict, pattern_advice(pattern) or cause_advice(alert.verdict.cause))
