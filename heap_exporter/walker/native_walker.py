"""The native walker: it clones the process, and the clone walks the heap while the process continues.

The process pauses only for the clone(2) call: about ten milliseconds per gigabyte. The clone runs no code of the
application and sends no signal, and this process validates its result.

Not exact: the sizes listed in ``_native/sizes.c``. Not found: objects that only an evaluation stack refers to, local
variables of suspended greenlets, and references that C code does not show to ``tp_traverse``. Found beyond
``tp_traverse``: the keys of dicts with only ``str`` keys, which CPython does not visit, and the ``__dict__`` of an
instance, which CPython 3.13 does not visit.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import time
import types
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from heap_exporter.errors import NativeUnavailable, WalkCancelled, WalkFailed
from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.model import Census, LostMemory, Walk
from heap_exporter.runtime.interpreter import python_version
from heap_exporter.walker.lost_rows import lost_memory
from heap_exporter.walker.own_objects import SHARED_OBJECTS, own_modules
from heap_exporter.walker.type_counts import type_counts

if TYPE_CHECKING:
    from heap_exporter import _native

MIN_POLL_SECONDS = 0.0005
MAX_POLL_SECONDS = 0.02
"""Seconds between polls of the clone; they double each time, up to the maximum."""

GRACE_SECONDS = 5.0
"""How long after the clone's own timeout this process kills it."""

MAX_IN_PROCESS_PAUSES = 2
"""How long a census in this process may take before a clone takes it, in pauses of a clone."""

CLONES_AFTER = 20
"""Censuses in this process after which a clone takes one, to measure its pause again."""

NOT_BUILT = (
    "heap-exporter was installed without its C extension; to get it, install a wheel, or install heap-exporter again "
    "where a C compiler and Python's headers are"
)

NO_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EBADF, errno.ESTALE}

_NO_MEMORY, _WRITE, _, _SIGNAL, _TIMEOUT = range(1, 6)
"""The fault codes of ``_native/fault.h``."""


class NativeWalker:
    """The heap walker in C, a :class:`~heap_exporter.walker.Walker`.

    A census is taken in this process if that is faster than a clone: few objects in a large process. A clone takes the
    first census and the one after a failure, so that a heap that crashes a walk crashes only a clone. A clone also
    takes over a census that exceeds its time limit. Raises :class:`NativeUnavailable`.
    """

    name = "native"

    def __init__(
        self, own_roots: Iterable[object], is_stopping: Callable[[], bool], *, keys: bool, timeout_seconds: float
    ) -> None:
        self._native = _load()
        self._own_roots = tuple(own_roots)
        self._is_stopping = is_stopping
        self._keys = keys
        self._timeout_seconds = timeout_seconds
        self._clone_seconds = 0.0
        self._walk_seconds = float("inf")
        self._since_clone = 0

    def census(self) -> Census:
        """Walk the heap and return all objects by type. Raises :class:`WalkFailed`, :class:`WalkCancelled`."""
        taken_at, began, allocated_blocks = time.time(), time.perf_counter(), sys.getallocatedblocks()
        result, pause_seconds, in_process = self._count()
        self._walk_seconds = result["walk_ns"] / 1e9
        return Census(
            taken_at=taken_at,
            duration_seconds=time.perf_counter() - began,
            pause_seconds=pause_seconds,
            cpu_seconds=result["cpu_ns"] / 1e9,
            walker=self.name,
            types=type_counts(result["rows"]),
            generation_objects=result["generation_objects"][:3],
            references=result["references"],
            in_process=in_process,
            allocated_blocks=allocated_blocks,
        )

    def _count(self) -> tuple[dict[str, Any], float, bool]:
        """Walk the heap; return the counts, the longest pause in seconds, and whether it ran in this process."""
        exceeded_seconds = 0.0
        if self._walk_seconds < self._clone_seconds and self._since_clone < CLONES_AFTER:
            self._since_clone += 1
            walk = self._start(-1, 0, max_ns=round(MAX_IN_PROCESS_PAUSES * self._clone_seconds * 1e9))
            if walk.result()["fault"] != _TIMEOUT:
                return self._finish(walk), walk.pause_ns / 1e9, True
            exceeded_seconds = walk.pause_ns / 1e9
        walk = self._start(-1, 0)
        result = self._finish(walk)
        self._since_clone, self._clone_seconds = 0, walk.pause_ns / 1e9
        return result, max(exceeded_seconds, self._clone_seconds), False

    def write_graph(self, out: BlockWriter) -> Walk:
        """Walk the heap and write the data of a snapshot. Raises :class:`WalkFailed`, :class:`WalkCancelled`."""
        began, begin = time.perf_counter(), os.lseek(out.fd, 0, os.SEEK_CUR)
        walk = self._start(out.fd, out.crc)
        result = self._finish(walk)
        if os.lseek(out.fd, 0, os.SEEK_CUR) - begin != result["file_bytes"]:
            raise WalkFailed(
                "damaged",
                "the snapshot file does not have the length that the cloned process reported",
                result["cpu_ns"] / 1e9,
            )
        out.crc = result["crc"]
        out.bytes += result["file_bytes"]
        return Walk(
            objects=result["objects"],
            references=result["references"],
            duration_seconds=time.perf_counter() - began,
            pause_seconds=walk.pause_ns / 1e9,
            cpu_seconds=result["cpu_ns"] / 1e9,
        )

    def lost(self) -> LostMemory:
        """Search for memory that no pointer leads to. Raises :class:`WalkFailed`, :class:`WalkCancelled`."""
        taken_at, began = time.time(), time.perf_counter()
        walk = self._start(-1, 0, lost=True)
        result = self._finish(walk)
        return lost_memory(result, taken_at, time.perf_counter() - began, walk.pause_ns / 1e9)

    def _start(self, file: int, crc: int, *, max_ns: int = 0, lost: bool = False) -> _native.Walk:
        """Start a heap walk or a search in a clone; with ``max_ns`` a walk in this process, for that time."""
        if not max_ns and _has_other_pid_namespace():
            raise WalkFailed(
                "refused", "the process cannot be cloned, because its children start in another PID namespace"
            )
        try:
            walk: _native.Walk = self._native.start(
                file=file,
                crc=crc,
                own_roots=(*own_modules(), self, *self._own_roots),
                not_own=SHARED_OBJECTS,
                keys=self._keys,
                numpy_major=_numpy_major(),
                timeout_seconds=max(1, round(self._timeout_seconds)),
                in_process=max_ns > 0,
                max_ns=max_ns,
                lost=lost,
            )
        except RuntimeError as error:
            raise WalkCancelled(str(error)) from error
        except OSError as error:
            cause = "no_memory" if error.errno == errno.ENOMEM else "refused"
            raise WalkFailed(cause, f"the process cannot be cloned: {error.strerror}") from error
        return walk

    def _finish(self, walk: _native.Walk) -> dict[str, Any]:
        """Wait until a heap walk has ended and return its result. No clone remains afterwards in any case."""
        deadline, pause = time.monotonic() + self._timeout_seconds + GRACE_SECONDS, MIN_POLL_SECONDS
        try:
            while not walk.poll():
                if self._is_stopping():
                    raise WalkCancelled("heap-exporter was stopped during the heap walk")
                if time.monotonic() > deadline:
                    raise WalkFailed(
                        "hung",
                        f"the cloned process that walks the heap did not finish within {self._timeout_seconds:g} s",
                    )
                time.sleep(pause)  # looked up each time: gevent may have replaced it
                pause = min(2 * pause, MAX_POLL_SECONDS)
        finally:
            walk.kill()
        try:
            return _checked(walk, self._timeout_seconds)
        except WalkFailed:
            self._walk_seconds = float("inf")
            raise


def _checked(walk: _native.Walk, timeout_seconds: float) -> dict[str, Any]:
    """Return the result of a heap walk that has ended. Raises :class:`WalkFailed`."""
    try:
        result = walk.result()
    except ValueError as error:
        raise WalkFailed("damaged", str(error)) from error
    if not result["is_complete"]:
        cause, problem = _walk_failure(result, timeout_seconds)
        raise WalkFailed(cause, problem, result["cpu_ns"] / 1e9)
    return result


def _walk_failure(result: dict[str, Any], timeout_seconds: float) -> tuple[str, str]:
    """Return why the clone's heap walk failed: the cause, and a sentence."""
    if result["fault"]:
        return _walk_fault(result["fault"], result["os_error"], result["crashed_type"])
    killer = result["signal"]
    if killer == signal.SIGALRM:
        return "hung", f"the cloned process that walks the heap did not finish within {timeout_seconds:g} s"
    if killer == signal.SIGKILL:
        return (
            "killed",
            "the cloned process was killed (SIGKILL), by the kernel because memory ran out or by another process",
        )
    if killer:
        return "crashed", f"the cloned process that walks the heap was terminated by {_signal_name(killer)}"
    return "damaged", "the cloned process that walks the heap exited without a result"


def _walk_fault(fault: int, os_error: int, crashed_type: str) -> tuple[str, str]:
    """Return the cause and a sentence for a fault that the heap walk reported."""
    if fault == _SIGNAL:
        traversed = f"an object of type {crashed_type}" if crashed_type else "the heap"
        return "crashed", f"the cloned process crashed with {_signal_name(os_error)} while reading {traversed}"
    if fault == _NO_MEMORY:
        return "no_memory", "the cloned process that walks the heap ran out of memory"
    if fault == _WRITE:
        cause = "no_disk" if os_error in NO_DISK else "refused"
        return cause, f"the snapshot file could not be written: {os.strerror(os_error)}"
    return "damaged", "the heap walk found an object at an invalid address"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _numpy_major() -> int:
    numpy = sys.modules.get("numpy")
    version = numpy.__dict__.get("__version__") if type(numpy) is types.ModuleType else None
    major = version.partition(".")[0] if type(version) is str else ""
    return int(major) if re.fullmatch("[0-9]{1,3}", major) else 0


def _has_other_pid_namespace() -> bool:
    """Return whether a clone for a heap walk would be the init process of another PID namespace.

    See pid_namespaces(7).
    """
    own, of_children = "/proc/thread-self/ns/pid", "/proc/thread-self/ns/pid_for_children"
    try:
        return os.readlink(own) != os.readlink(of_children)
    except OSError:
        # Before the first child the link exists but is dangling; before Linux 4.12 it does not exist.
        return os.path.lexists(own) and os.path.lexists(of_children)


def _load() -> Any:
    """Return the C extension of the native walker. Raises :class:`NativeUnavailable` if it cannot be used here."""
    if sys.platform != "linux":
        raise NativeUnavailable("platform", f"the native walker runs on Linux only, not on {sys.platform}")
    if "t" in sys.abiflags:
        raise NativeUnavailable("free_threaded", "the native walker needs the GIL, and this interpreter has none")
    if sys.version_info < (3, 11, 2):
        raise NativeUnavailable("layout", "the native walker needs CPython 3.11.2 or newer; update Python")
    try:
        from heap_exporter import _native
    except ImportError as error:
        raise _import_failure(error) from error
    if _native.__file__ is None:  # only the folder of its sources exists, in a clone
        raise NativeUnavailable("no_extension", NOT_BUILT)
    if problem := _layout_problem(_native):
        version = python_version()
        raise NativeUnavailable(
            "layout", f"{problem} in CPython {version} differ from those that the C extension expects"
        )
    return _native


def _import_failure(error: ImportError) -> NativeUnavailable:
    if "subinterpreter" in str(error):
        return NativeUnavailable(
            "subinterpreter", "an interpreter with a GIL of its own cannot load the C extension of the native walker"
        )
    if str(error.path).endswith(".so"):  # it is there, perhaps built for another C library
        return NativeUnavailable("no_extension", f"the C extension of the native walker cannot be loaded: {error}")
    return NativeUnavailable("no_extension", NOT_BUILT)


class _Probe:
    def __init__(self) -> None:
        self.first = object()
        self.second = [self.first]


def _layout_problem(native: Any) -> str:
    """Return what the walker's C extension misreads in the interpreter, tried on known objects; ``""`` if nothing."""
    if problem := native.layout(sys._getframe().f_code):
        return str(problem)
    probe = _Probe()
    variables = _variables(probe)
    next(variables)
    plain = (probe.second, {"a": 1}, {1: 2}, {1, 2}, 1 << 70, "a", "é", "€")
    structures = (probe, _Probe, _layout_problem, _layout_problem.__code__, variables, sys._getframe())
    if native.sizes(plain + structures) != [sys.getsizeof(known) for known in plain + structures]:
        return "the sizes of objects"
    if native.edges(probe) != [("first", probe.first), ("second", probe.second), ("__class__", _Probe)]:
        return "the attributes of instances"
    if ("inner", probe) not in native.edges(variables):
        return "the frames of generators"
    return ""


def _variables(outer: object) -> Any:
    inner = outer
    yield inner
