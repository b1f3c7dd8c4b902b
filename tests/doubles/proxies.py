"""A proxy in front of a server: it counts bytes, calls a function at a byte count, and damages answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

CHUNK_BYTES = 64 * 1024


class Proxy:
    """Passes connections on to a port of this machine; ``bytes_in`` counts the bytes sent to the server."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._counting = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._alarm: tuple[int, Callable[[], None]] | None = None
        self.bytes_in = 0
        self.spoils = False
        """Whether the last byte of each long piece from the server is changed."""
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def at(self, bytes_in: int, act: Callable[[], None]) -> None:
        """Call ``act`` once after this many more bytes, before they go to the server."""
        self._alarm = (self.bytes_in + bytes_in, act)

    def serve(self) -> None:
        """Pass connections on until the proxy is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _pass_on(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._server_port)) as server:
            back = threading.Thread(target=self._copy, args=(server, client, self._spoilt), daemon=True)
            back.start()
            self._copy(client, server, self._counted)
            back.join()

    def _copy(self, source: socket.socket, target: socket.socket, see: Callable[[bytes], bytes]) -> None:
        with suppress(OSError):
            while piece := source.recv(CHUNK_BYTES):
                target.sendall(see(piece))
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _counted(self, piece: bytes) -> bytes:
        with self._counting:
            self.bytes_in += len(piece)
            if self._alarm is not None and self.bytes_in >= self._alarm[0]:
                act, self._alarm = self._alarm[1], None
                act()
        return piece

    def _spoilt(self, piece: bytes) -> bytes:
        return piece[:-1] + bytes([piece[-1] ^ 1]) if self.spoils and len(piece) > CHUNK_BYTES // 2 else piece


@contextmanager
def proxy(server_port: int) -> Iterator[Proxy]:
    """Run a proxy in front of a server."""
    opened = Proxy(server_port)
    threading.Thread(target=opened.serve, daemon=True).start()
    try:
        yield opened
    finally:
        opened.close()
