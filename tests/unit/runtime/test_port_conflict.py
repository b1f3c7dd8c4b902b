import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from heap_exporter.runtime import port_conflict
from heap_exporter.runtime.port_conflict import is_sibling_exporter, reachable

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Run a server that passes its only client to ``answer``, and yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(1000)
                answer(client)

        server = threading.Thread(target=serve)
        server.start()
        yield listener.getsockname()[1]
        server.join()


def health(pid: object, name: str = "heap-exporter") -> bytes:
    return HEAD + json.dumps({"name": name, "pid": pid}).encode()


def test_an_exporter_of_the_same_process_group_is_a_sibling_even_if_its_answer_comes_in_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(port_conflict, "ANSWER_SECONDS", 30.0)

    def in_pieces(client: socket.socket) -> None:
        for byte in health(os.getpid()):
            client.sendall(bytes([byte]))

    with answering(in_pieces) as port:
        assert is_sibling_exporter("0.0.0.0", port)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0\r\n",
        HEAD + b"[]",
        HEAD + b"[" * 4000,
        health(2**70),
        health(float("inf")),
        health("me"),
        health(os.getpid(), "another"),
    ],
)
def test_any_other_answer_is_not_a_sibling(answer: bytes) -> None:
    with answering(lambda client: client.sendall(answer)) as port:
        assert not is_sibling_exporter("127.0.0.1", port)


def test_a_closed_port_is_not_a_sibling() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert not is_sibling_exporter("127.0.0.1", port)


def test_a_slow_answer_is_given_up_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_conflict, "ANSWER_SECONDS", 0.2)
    given_up, waited_for_all = threading.Event(), threading.Event()

    def drip(client: socket.socket) -> None:
        with suppress(ConnectionError):
            for _ in range(200):
                client.sendall(b" ")
                if given_up.wait(0.02):
                    return
            waited_for_all.set()

    with answering(drip) as port:
        assert not is_sibling_exporter("127.0.0.1", port)
        given_up.set()

    assert not waited_for_all.is_set()


@pytest.mark.parametrize(
    ("host", "address"), [("0.0.0.0", "127.0.0.1"), ("", "127.0.0.1"), ("::", "::1"), ("10.0.0.7", "10.0.0.7")]
)
def test_a_server_that_listens_on_all_addresses_is_reached_on_this_machine(host: str, address: str) -> None:
    assert reachable(host) == address
