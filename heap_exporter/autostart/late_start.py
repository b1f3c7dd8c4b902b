"""Imports the exporter and starts it, on a thread that is none of the application's.

A child that is forked in the middle of an import could never import the same module, so forks wait for it. They wait
for one piece at a time.
"""

from __future__ import annotations

import _thread
import os
import sys
from _thread import allocate_lock, get_ident
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from time import sleep
from types import BuiltinFunctionType

from heap_exporter.runtime.fork_pause import ForkPause, release_import_locks

PIECES = (
    "logging",
    "dataclasses",
    "pathlib",
    "heap_exporter.model",
    "heap_exporter.settings",
    "heap_exporter.analysis",
    "heap_exporter.allocations",
    "heap_exporter.detection.judge",
    "heap_exporter.snapshot.service",
    "heap_exporter.investigation.stage",
    "heap_exporter.recording.recorder",
    "heap_exporter.pipeline",
    "heap_exporter.agent",
    "heap_exporter.walker.native_walker",
    "heap_exporter.fleet.page_publisher",
    "heap_exporter.fleet.hub_lock",
    "heap_exporter.web.member_server",
    "heap_exporter.web.fleet_app",
    "heap_exporter.web.hub",
)
"""What a start imports, each module after most of those that it imports itself."""

PAUSE_SECONDS = 0.001

MAX_GEVENT_WAIT_SECONDS = 30.0
"""A program waits once for it, while it starts."""


def start_late(main_ident: int, pause: ForkPause, begin_start: Callable[[], None]) -> None:
    """Import the exporter, call ``begin_start()``, and start it, unless the application has started it.

    ``main_ident`` is the ident of the main thread; forks wait for ``pause``. Raises nothing: a failure is one line on
    stderr.
    """
    try:
        patching = PatchingByGevent(pause)
        with pause.active():
            import_threading(main_ident)
        ident = _thread.get_ident()
        try:
            _import_pieces(pause, patching)
        except RuntimeError:
            if not _is_replaced_by_gevent():
                raise
            release_import_locks(ident)  # gevent was loaded, and replaced the ident, during one import
            _import_pieces(pause, patching)
        with pause.active():
            begin_start()
            _start()
        _run_greenlets()
    except Exception as error:
        begin_start()
        _print_failure(error)


def _import_pieces(pause: ForkPause, patching: PatchingByGevent) -> None:
    for name in PIECES:
        while pause.has_waiting_forks():
            sleep(PAUSE_SECONDS)
        with pause.active():
            patching.subscribe()
            import_module(name)


def _start() -> None:
    import heap_exporter

    if heap_exporter.current() is None:
        heap_exporter.start()


def import_threading(main_ident: int) -> None:
    """Import ``threading``; if this thread is the first to do so, correct which thread is the main thread for it.

    Until Python 3.12 that is the thread that imports the module first.
    """
    import threading

    main = threading.main_thread()
    if sys.version_info >= (3, 13) or main.ident != get_ident():
        return
    own_lock, lock = main._tstate_lock, allocate_lock()  # type: ignore[attr-defined]
    lock.acquire()  # it is released when the main thread ends
    threading._shutdown_locks.discard(own_lock)  # type: ignore[attr-defined]
    del threading._active[get_ident()]  # type: ignore[attr-defined]
    main._tstate_lock, main._ident = lock, main_ident  # type: ignore[attr-defined]
    if sys.platform == "linux":
        main._native_id = os.getpid()  # type: ignore[attr-defined]
    threading._active[main_ident] = main  # type: ignore[attr-defined]


class PatchingByGevent:
    """Lets gevent wait for a pause, as a fork does, before it replaces parts of the standard library.

    An import or a start in another thread meanwhile would fail: it would use parts of both kinds.
    """

    def __init__(self, pause: ForkPause) -> None:
        self._pause = pause
        self._is_subscribed = False

    def subscribe(self) -> None:
        """Subscribe to the events of gevent, once the program has loaded it."""
        if not self._is_subscribed and "gevent.monkey" in sys.modules:
            import_module("gevent.events").subscribers.append(self._on_event)
            self._is_subscribed = True

    def _on_event(self, event: object) -> None:
        name = type(event).__name__
        if name == "GeventWillPatchAllEvent":
            self._pause.wait(MAX_GEVENT_WAIT_SECONDS)
        elif name == "GeventDidPatchAllEvent":
            self._pause.go_on()


def _run_greenlets() -> None:
    """Run the exporter's threads where gevent has made greenlets of them: they belong to this thread."""
    if _is_replaced_by_gevent():
        import_module("gevent").get_hub().join()


def _is_replaced_by_gevent() -> bool:
    return "gevent.monkey" in sys.modules and not isinstance(_thread.get_ident, BuiltinFunctionType)


def _print_failure(error: Exception) -> None:
    """Print why the exporter did not start, unless the process is about to end."""
    threading = sys.modules.get("threading")
    if threading is None or not threading.main_thread().is_alive():
        return
    with suppress(Exception):  # stderr may be closed
        print(f"heap-exporter did not start in process {os.getpid()}: {error}", file=sys.stderr, flush=True)
