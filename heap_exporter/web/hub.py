"""Serves the port for all processes that share a snapshot folder, or waits until its holder ends."""

from __future__ import annotations

import os
import selectors
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from heap_exporter.errors import PortTaken, SettingsError
from heap_exporter.fleet.hub_lock import HubAddress, HubLock
from heap_exporter.runtime.logs import log
from heap_exporter.web.server import HttpServer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

WATCHED_SECONDS = 1.0
"""Time between two tries to become the hub, while the end of the present one would be noticed at once."""

UNWATCHED_SECONDS = 0.25
"""The same, where the hub is in another container or the kernel cannot report its end."""

TURN_SECONDS = 0.001
"""Time between two processes that try to become the hub after its end, which the kernel reports to all at once."""

RETRY_SECONDS = 5.0
"""Time until the next try to listen after one that failed."""


class Hub:
    """The port of a fleet as one process sees it: this process serves it, or another one does.

    ``lock`` is ``None`` where this process serves a port of its own, whatever others do. ``on_listening`` is called
    with the server once this process listens. ``turn`` is how many processes may try before this one when the hub has
    ended, ``pushes`` whether this process, as the hub, pushes the metrics of all over OTLP. All methods but
    :meth:`stop` and the properties belong to one thread at a time.
    """

    def __init__(
        self,
        application: WSGIApplication,
        host: str,
        port: int,
        lock: HubLock | None,
        on_listening: Callable[[HttpServer], None],
        *,
        turn: int = 0,
        pushes: bool = False,
    ) -> None:
        self._application = application
        self._host, self._port = host, port
        self._lock = lock
        self._on_listening = on_listening
        self._turn = turn
        self._pushes = pushes
        self._server: HttpServer | None = None
        self._watched_pid = 0
        self._watched: int | None = None
        self._stopping = False

    @property
    def url(self) -> str | None:
        """Return the address of the status page that this process serves, or else the hub; ``None`` without one."""
        if self._server is not None:
            return self._server.url
        holder = self._lock.holder() if self._lock else None
        return holder.url if holder and holder.url else None

    @property
    def other_pushes(self) -> bool:
        """Return whether another process is the hub and pushes the metrics of all processes over OTLP."""
        holder = self._lock.holder() if self._lock and not self.is_own else None
        return holder is not None and holder.pushes

    @property
    def is_own(self) -> bool:
        """Return whether this process serves the port of the fleet."""
        return self._server is not None

    def try_listen(self, *, strict: bool = False) -> bool:
        """Serve the port unless another process of the fleet does; return whether this process serves it.

        Raises :class:`SettingsError` and ``OSError``, and with ``strict`` :class:`PortTaken`.
        """
        if self._server is not None:
            return True
        if not self._take_lock():
            if strict:
                raise PortTaken(self._host, self._port)
            return False
        try:
            server = HttpServer(self._application, self._host, self._port, strict=strict)
            try:
                server.start()
            except BaseException:
                server.stop()
                raise
        except BaseException:
            self._release_lock()
            raise
        self._server = server
        if self._lock is not None:
            with suppress(OSError):  # a full disk: the others do not know the address
                self._lock.announce(server.url, pushes=self._pushes)
        self._on_listening(server)
        return True

    def poll(self) -> tuple[float | None, int | None]:
        """Try to become the hub; return the seconds to the next try, and a descriptor that is readable if it is due.

        Both are ``None`` if there is nothing to wait for. Raises nothing.
        """
        if self._stopping or self.is_own:
            return None, None
        if self._has_watched_ended():
            self._unwatch()
            return self._turn * TURN_SECONDS, None
        holder = self._lock.holder() if self._lock else None
        try:
            if holder is None and self.try_listen():
                return None, None
        except (OSError, SettingsError) as error:
            log.warning(
                "heap-exporter in process %d cannot listen on %s:%d and tries it again in %g s: %s",
                os.getpid(), self._host, self._port, RETRY_SECONDS, error,
            )  # fmt: skip  # format and arguments together
            return RETRY_SECONDS, None
        except RuntimeError:  # no thread can be started: the interpreter is ending
            return RETRY_SECONDS, None
        self._watch(holder)
        return UNWATCHED_SECONDS if self._watched is None else WATCHED_SECONDS, self._watched

    def stop(self) -> None:
        """Close the port, and let another process serve it."""
        self._stopping = True
        if self._server is not None:
            self._server.stop()
            self._server = None
        self._release_lock()
        self._unwatch()

    def abandon(self) -> None:
        """Close the inherited descriptors in a forked child, and nothing else."""
        self._stopping = True
        if self._server is not None:
            self._server.abandon()
        self._unwatch()

    def _take_lock(self) -> bool:
        return self._lock is None or self._lock.try_take()

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def _has_watched_ended(self) -> bool:
        if self._watched is None:
            return False
        with selectors.PollSelector() as selector:
            selector.register(self._watched, selectors.EVENT_READ)
            return bool(selector.select(0))

    def _watch(self, holder: HubAddress | None) -> None:
        """Have the kernel report the end of the present hub, if it is in this container."""
        pid = holder.pid if holder else 0
        if pid == self._watched_pid:
            return
        self._unwatch()
        if pid > 0 and self._lock is not None and hasattr(os, "pidfd_open"):
            with suppress(OSError):  # it has ended, or the kernel is older than 5.3
                self._watched = os.pidfd_open(pid)
                again = self._lock.holder()
                if again is None or again.pid != pid:  # the process may be another one with the same pid
                    self._unwatch()
                    return
        self._watched_pid = pid

    def _unwatch(self) -> None:
        watched, self._watched, self._watched_pid = self._watched, None, 0
        if watched is not None:
            with suppress(OSError):
                os.close(watched)
