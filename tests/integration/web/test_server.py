"""The HTTP server in processes that fork and run out of descriptors."""

import os
import subprocess
import sys

from tests.doubles.web_source import Process, connect, fetch, read_all, serving, until


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_without_free_descriptors_the_loop_neither_ends_nor_spins() -> None:
    program = """
import os, resource, socket, time
from heap_exporter.web.server import HttpServer
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
server = HttpServer(app, "127.0.0.1", 0)
server.start()
client = socket.create_connection((server.host, server.port)); client.close()
waiting = socket.socket()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
hoard = []
try:
    while True: hoard.append(os.open(os.devnull, os.O_RDONLY))
except OSError: pass
waiting.connect((server.host, server.port))
before = time.process_time()
time.sleep(1)
print(time.process_time() - before < 0.3)
for descriptor in hoard: os.close(descriptor)
waiting.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
print(waiting.recv(100).startswith(b"HTTP/1.1 200"))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)

    assert done.stdout.split() == ["True", "True"]
    assert done.stderr.count("heap-exporter's HTTP server cannot accept a connection: Too many open files\n") <= 1


def test_a_forked_child_closes_its_sockets_and_the_parent_continues(process: Process) -> None:
    with serving(process.app()) as server, connect(server, b"GET /metrics HTTP/1.1\r\n") as client:
        until(lambda: len(server._connections) == 1)
        inherited = [server._listeners[0].fileno(), server._waker.fileno(), server._woken.fileno()]
        inherited += [connection.socket.fileno() for connection in server._connections]
        child = os.fork()
        if child == 0:
            code = 1
            try:
                server.abandon()
                server.stop()
                code = 2 * any(is_open(descriptor) for descriptor in inherited)
            finally:
                os._exit(code)

        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        client.sendall(b"Host: localhost\r\nConnection: close\r\n\r\n")
        assert read_all(client).startswith(b"HTTP/1.1 200 ")
        assert fetch(server, "GET", "/metrics")[0] == 200
