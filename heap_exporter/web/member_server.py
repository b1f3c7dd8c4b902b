"""Answers HTTP on the unix socket of a member, for the hub and for commands of the same user.

One thread answers one request after another, so that a member costs no pool of threads. What may take long, such as a
snapshot, is answered on a thread that ends with the answer.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from heap_exporter.fleet.fleet_pages import socket_name
from heap_exporter.fleet.slots import open_fleet
from heap_exporter.model import Member
from heap_exporter.runtime.error_boundary import LOG_INTERVAL_SECONDS
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.threads import start_thread
from heap_exporter.web.wsgi import HEAD_BYTES, RequestHandler, Site, head_size, request_size

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BACKLOG = 16

REQUEST_SECONDS = 5.0
"""How long a client may take to send its request, and to read each piece of the answer."""

MAX_LONG_ANSWERS = 4
"""Requests that may take long and have a thread of their own; further ones are answered on the socket's thread."""

RECEIVE_BYTES = 64 * 1024

ROOT_HEADER = "X-Root-Path"
"""The header with the path below which the hub shows the pages of a member."""

ROOT_VARIABLE = "HTTP_X_ROOT_PATH"

_CREDENTIALS = struct.Struct("3i")
"""``struct ucred`` of unix(7): pid, user, group."""


def listen_as(snapshot_folder: Path, member: Member) -> socket.socket | None:
    """Return the listening socket of this process as a member, with mode 0600; ``None`` where none is possible.

    It is bound below the descriptor of the folder: the path of a socket has at most 107 bytes.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with open_fleet(snapshot_folder) as folder:
            name = socket_name(member)
            folder.remove(name)  # of an earlier process with the same slot
            listener.bind(f"/proc/self/fd/{folder.descriptor}/{name}")
            os.chmod(name, 0o600, dir_fd=folder.descriptor)  # the folder is private already
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        log.info(
            "heap-exporter in process %d cannot listen on a socket in %s, so other processes show only what this one "
            "publishes: %s",
            os.getpid(), snapshot_folder, error,
        )  # fmt: skip  # format and arguments together
        return None
    return listener


class MemberServer:
    """Serves a WSGI application on a listening unix socket, if there is one, to this user and root only.

    ``poll()`` is called on the same thread, at once and then when it last said: it returns the seconds to the next
    call, or ``None``, and a descriptor that becomes readable when the call is due earlier, or ``None``.
    """

    def __init__(
        self,
        application: WSGIApplication,
        listener: socket.socket | None,
        poll: Callable[[], tuple[float | None, int | None]],
    ) -> None:
        self._site = Site(_rooted(application), "localhost", 0)
        self._listener = listener
        self._poll = poll
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._thread: threading.Thread | None = None
        self._long_answers: set[threading.Thread] = set()
        self._stopping = False
        self._next_log_at = 0.0

    def start(self) -> None:
        """Serve HTTP requests on the member's socket, on a thread of its own, until :meth:`stop`."""
        self._thread = start_thread("member", self._serve)

    def wake(self) -> None:
        """Let the thread of the member's socket call ``poll()`` now."""
        with suppress(OSError):
            self._waker.send(b"\0")

    def stop(self, deadline: float) -> None:
        """End the thread, at the latest at ``deadline`` (monotonic seconds), and close the member's socket."""
        self._stopping = True
        self.wake()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(max(deadline - time.monotonic(), 0.0))
        self.abandon()

    def abandon(self) -> None:
        """Close the descriptors of the member's socket and nothing else, as a forked child must."""
        self._stopping = True
        for end in (self._listener, self._waker, self._woken):
            if end is not None:
                end.close()

    def _serve(self) -> None:
        while not self._stopping:
            try:
                self._turn(*self._poll())
            except Exception:
                if self._stopping:
                    return
                self._log_failure()
                time.sleep(1.0)  # an error that repeats must not keep a core busy

    def _turn(self, seconds: float | None, descriptor: int | None) -> None:
        """Wait for a client, and answer it; return at the latest after some seconds or an event on a descriptor."""
        watched = [each for each in (self._listener, self._woken, descriptor) if each is not None]
        ready = _readable(watched, seconds)
        if self._woken in ready:
            self._woken.recv(4096)
        if self._listener is not None and self._listener in ready and not self._stopping:
            with suppress(OSError):  # the client is gone, or another user
                self._answer(self._listener.accept()[0])

    def _answer(self, client: socket.socket) -> None:
        """Answer the one request of a client, unless it is of another user. Raises ``OSError``."""
        with ExitStack() as opened:
            opened.enter_context(client)
            check_peer(client)
            client.settimeout(REQUEST_SECONDS)
            request = _receive(client)
            self._long_answers = {thread for thread in self._long_answers if thread.is_alive()}
            if not _may_take_long(request) or len(self._long_answers) >= MAX_LONG_ANSWERS:
                self._send_answer(client, request)
            elif request:
                opened.pop_all()
                self._long_answers.add(start_thread("member-answer", partial(self._send_answer, client, request)))

    def _send_answer(self, client: socket.socket, request: bytes) -> None:
        with client, suppress(OSError):
            for chunk in RequestHandler(request, ("127.0.0.1", 0), self._site).chunks():
                client.sendall(chunk)

    def _log_failure(self) -> None:
        now = time.monotonic()
        if now >= self._next_log_at:
            self._next_log_at = now + LOG_INTERVAL_SECONDS
            log.exception("heap-exporter failed to answer on its socket, and continues")


def check_peer(peer: socket.socket) -> None:
    """Raise :class:`PermissionError` if the process at the other end of a unix socket is neither this user nor root."""
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(credentials)
    if user not in (0, os.geteuid()):
        raise PermissionError(errno.EPERM, f"the socket belongs to user {user}")


def _readable(watched: Sequence[socket.socket | int], seconds: float | None) -> Collection[socket.socket | int]:
    """Wait until one of some descriptors is readable, and return all that are."""
    with selectors.PollSelector() as selector:  # it has no descriptor of its own, which a forked child would inherit
        for each in watched:
            selector.register(each, selectors.EVENT_READ)
        return {key.fileobj for key, _ in selector.select(seconds)}  # type: ignore[misc]  # what was registered


def _rooted(application: WSGIApplication) -> WSGIApplication:
    """Return an application whose root path is the one that the hub has for this member."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return application({**environ, "SCRIPT_NAME": environ.get(ROOT_VARIABLE, "")}, start_response)

    return answer


def _may_take_long(request: bytes) -> bool:
    """Return whether the answer to a request may wait for a snapshot, or for the growth of some seconds."""
    line = request.partition(b"\r\n")[0]
    return bool(line) and (not line.startswith((b"GET ", b"HEAD ")) or b"seconds=" in line)


def _receive(client: socket.socket) -> bytes:
    """Return the first request of a client, ``b""`` if it sends none in time or one too long. Raises ``OSError``."""
    deadline, received = time.monotonic() + REQUEST_SECONDS, bytearray()
    while not request_size(received):
        if (len(received) >= HEAD_BYTES and not head_size(received)) or time.monotonic() > deadline:
            return b""
        data = client.recv(RECEIVE_BYTES)
        if not data:
            return b""
        received += data
    return bytes(received[: request_size(received)])
