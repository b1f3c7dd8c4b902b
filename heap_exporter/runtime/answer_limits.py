"""Limits the bytes and the total time of an HTTP answer, headers included, for ``http.client`` and its users.

A timeout of ``http.client`` starts anew with each byte that is received, and it reads any number of interim answers.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

from heap_exporter.runtime.formatting import size

C = TypeVar("C")


class AnswerTooLarge(http.client.HTTPException):
    """A server sent more bytes than the limit."""


class AnswerLimits:
    """The limits of one answer at a time: ``max_bytes`` as received, and the seconds given to :meth:`begin`."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._received_bytes = 0
        self._seconds = 0.0
        self._deadline = 0.0

    def begin(self, seconds: float) -> None:
        """Begin to count: the next answer must be complete in ``seconds`` from now."""
        self._received_bytes = 0
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds

    def seconds_left(self) -> float:
        """Return the time that is left for the answer. Raises ``TimeoutError`` if there is none."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self.timeout()
        return left

    def timeout(self) -> TimeoutError:
        """Return the error of an answer that took too long."""
        return TimeoutError(f"no complete answer within {self._seconds:g} s")

    def count(self, received_bytes: int) -> None:
        """Count bytes of the answer. Raises :class:`AnswerTooLarge`."""
        self._received_bytes += received_bytes
        if self._received_bytes > self._max_bytes:
            raise AnswerTooLarge(f"the answer is larger than {size(self._max_bytes)}")

    def applied_to(
        self, connection_class: type[C], on_connect: Callable[[socket.socket], None] | None = None
    ) -> type[C]:
        """Return a subclass of an HTTP connection whose answers have these limits, those of a proxy included.

        It calls ``on_connect`` with each socket that it connects.
        """

        def connect(self: Any) -> None:
            connection_class.connect(self)  # type: ignore[attr-defined]  # that of http.client, or of a subclass
            if on_connect is not None:
                on_connect(self.sock)

        def respond(connected: socket.socket, *args: Any, **kwargs: Any) -> http.client.HTTPResponse:
            return http.client.HTTPResponse(_LimitedSocket(connected, self), *args, **kwargs)  # type: ignore[arg-type]  # it needs makefile() only

        members = {"connect": connect, "response_class": staticmethod(respond)}
        return cast("type[C]", type(connection_class.__name__, (connection_class,), members))


class _LimitedSocket:
    """The part of a socket that an answer is read from."""

    def __init__(self, connected: socket.socket, limits: AnswerLimits) -> None:
        self._connected = connected
        self._limits = limits

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_LimitedFile(self._connected, self._limits))


class _LimitedFile(io.RawIOBase):
    """Receives from a socket within limits."""

    def __init__(self, connected: socket.socket, limits: AnswerLimits) -> None:
        super().__init__()
        self._connected = connected
        self._limits = limits
        self._file = connected.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._connected.settimeout(self._limits.seconds_left())
        try:
            received_bytes = self._file.readinto(buffer)
        except TimeoutError:
            raise self._limits.timeout() from None
        self._limits.count(received_bytes or 0)
        return received_bytes

    def close(self) -> None:
        self._file.close()
        super().close()
