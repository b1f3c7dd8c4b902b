"""Servers whose answers never end, or are small but decompress to many bytes, on sockets of 127.0.0.1."""

from __future__ import annotations

import contextlib
import functools
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Iterator

OK = b"HTTP/1.1 200 OK\r\n"
PADDING = b"X-Padding: " + b"x" * 60_000 + b"\r\n"
MIB = 1 << 20
BOMB_MIB = 64

MAX_BYTES = 16 * MIB
"""Memory that an answer may use, with the buffers of the server."""

FLOODS = {
    "a body without end": (OK + b"\r\n", bytes(MIB)),
    "chunks without end": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"100000\r\n" + bytes(MIB) + b"\r\n"),
    "an error without end": (b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(MIB)),
    "headers without end": (OK, PADDING),
    "interim answers without end": (b"", b"HTTP/1.1 100 Continue\r\n" + PADDING + b"\r\n"),
}
"""What is sent first, and what is then sent again and again."""

TRICKLES = {
    "a line that trickles": (b"", b"H"),
    "headers that trickle": (OK, b"X-More: 1\r\n"),
    "interim answers that trickle": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body that trickles": (OK + b"\r\n", b" "),
}


@functools.cache
def gzip_bomb(status: str = "200 OK") -> bytes:
    """Return an answer whose body has a small part of the size that it decompresses to, 64 MiB."""
    compress = zlib.compressobj(9, wbits=31)
    body = b"".join(compress.compress(bytes(MIB)) for _ in range(BOMB_MIB)) + compress.flush()
    head = f"HTTP/1.1 {status}\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    """Assert that the memory of Python objects grows little during a block, with the server in this process."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MAX_BYTES
    finally:
        tracemalloc.stop()


@contextlib.contextmanager
def endless_server(first: bytes, again: bytes, *, pause_seconds: float = 0.0) -> Iterator[str]:
    """Run a server that answers every connection with ``first``, then with ``again`` until it is closed.

    It pauses before each ``again``; if that is empty, it keeps the connection open. Yield its address.
    """
    is_stopped = threading.Event()
    threads: list[threading.Thread] = []

    def answer(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.recv(1 << 16)
            client.sendall(first)
            while not is_stopped.wait(pause_seconds if again else None):
                client.sendall(again)

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                clients.append(client)
                threads.append(threading.Thread(target=answer, args=[client]))
                threads[-1].start()

    clients: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept, args=[listener])
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            is_stopped.set()
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for client in clients:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
