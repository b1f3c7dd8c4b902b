"""The listening socket of the HTTP server, and clear errors where it cannot be made."""

from __future__ import annotations

import errno
import os
import socket

from heap_exporter.errors import PortTaken, SettingsError
from heap_exporter.settings import variable


def listen(host: str, port: int, backlog: int) -> socket.socket:
    """Return the listening socket of the HTTP server. Raises :class:`PortTaken` or :class:`SettingsError`."""
    try:
        # getaddrinfo() uses the codec of other names for each str; it costs a quarter of a MiB of memory.
        name = host.encode() if host.isascii() else host
        addresses = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise SettingsError(variable("host"), host, f"it does not resolve to an address: {problem}") from error
    family, _, _, _, address = addresses[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would let two processes listen on one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # the sockets of its clients inherit it
        if host == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(backlog)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(host, port) from error
        if error.errno == errno.EACCES:
            raise SettingsError(
                variable("port"), port, f"heap-exporter is not permitted to listen on it: {error.strerror}"
            ) from error
        raise SettingsError(variable("host"), host, f"heap-exporter cannot listen on it: {error.strerror}") from error
    return listener
