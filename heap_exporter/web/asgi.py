"""The pages as an ASGI application: they are made in two threads, so that the event loop of the service never waits."""

from __future__ import annotations

import asyncio
import functools
import io
import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from heap_exporter.web.request import BODY_BYTES

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

THREADS = 2
"""One for a snapshot, one for all other requests."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiApp:
    """An ASGI application that answers HTTP requests with those of a WSGI application, and refuses all else."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._pid = -1

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one connection of the server."""
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _take_part_in_lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None:
            return
        environ = _environ(scope, body)
        started: list[tuple[str, list[tuple[str, str]]]] = []
        chunks = await self._in_thread(self._application, environ, lambda *answer: started.append(answer))
        try:
            status, headers = started[0]
            encoded = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
            await send({"type": "http.response.start", "status": int(status[:3]), "headers": encoded})
            iterator = iter(chunks)
            while (chunk := await self._in_thread(next, iterator, None)) is not None:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            getattr(chunks, "close", bool)()

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what a function returns, called in one of the threads that answer HTTP requests."""
        if self._pid != os.getpid():  # the threads of an application that answered before a fork do not exist
            self._pid, self._threads = os.getpid(), ThreadPoolExecutor(THREADS, "heap-exporter-asgi")
        return await asyncio.get_running_loop().run_in_executor(self._threads, functools.partial(function, *arguments))


async def _body(receive: Receive) -> bytes | None:
    """Return the body of an HTTP request, or the beginning of one that is too long; ``None`` if the client has left."""
    body, is_whole = b"", False
    while not is_whole and len(body) <= BODY_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        is_whole = not message.get("more_body", False)
    return body


def _environ(scope: Message, body: bytes) -> WSGIEnvironment:
    """Return the WSGI environment of an HTTP request to an ASGI server."""
    root = scope.get("root_path", "")
    path = scope["path"]
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": _native(root),
        "PATH_INFO": _native(path.removeprefix(root)),  # servers differ in whether it has the prefix
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    for name, values in _headers(scope["headers"]).items():
        if name == "content-type":
            environ["CONTENT_TYPE"] = values
        elif "_" not in name and name != "content-length":  # in WSGI, a_b and a-b have the same name
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = values
    return environ


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers of an HTTP request by their names in lower case; those of one name are joined."""
    headers: dict[str, str] = {}
    for name, value in ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw):
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _native(text: str) -> str:
    """Return text as a string of a WSGI environment, whose characters are bytes (PEP 3333)."""
    return text.encode("utf-8", "replace").decode("latin-1")


async def _take_part_in_lifespan(receive: Receive, send: Send) -> None:
    """Answer the messages of a server that starts and stops its application: there is nothing to do."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
