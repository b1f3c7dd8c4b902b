"""The HTTP answer of a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CHUNK_BYTES = 16 * 1024
"""How much of a file is read at once."""


class Response:
    """A status, headers, and a body: bytes, or an iterable of ``length`` bytes that is closed at the end."""

    def __init__(
        self,
        body: bytes | Iterable[bytes],
        content_type: str,
        status: HTTPStatus = HTTPStatus.OK,
        headers: Iterable[tuple[str, str]] = (),
        *,
        length: int | None = None,
    ) -> None:
        self.status = status
        self.headers = [("Content-Type", content_type), *headers]
        self._body = [body] if isinstance(body, bytes) else body
        self._length = len(body) if isinstance(body, bytes) else length

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer an HTTP request, as a WSGI application."""
        length = [] if self._length is None else [("Content-Length", str(self._length))]
        start_response(f"{self.status.value} {self.status.phrase}", [*self.headers, *length])
        if environ["REQUEST_METHOD"] != "HEAD":
            return self._body
        getattr(self._body, "close", bool)()
        return []


class FilePart:
    """The body of an HTTP answer: ``length`` bytes of a file, from ``first`` on. It closes the file."""

    def __init__(self, file: IO[bytes], first: int, length: int) -> None:
        self._file = file
        self._first = first
        self._left = length

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(self._first)
        while self._left and (chunk := self._file.read(min(CHUNK_BYTES, self._left))):
            self._left -= len(chunk)
            yield chunk

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def json_response(
    document: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    status: HTTPStatus = HTTPStatus.OK,
    headers: Iterable[tuple[str, str]] = (),
) -> Response:
    """Return a document as the JSON of an HTTP answer."""
    return Response(f"{json.dumps(document)}\n".encode(), "application/json", status, headers)
