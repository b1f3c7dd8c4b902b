"""Each process reports for itself: forked children, workers, spawned children; and nothing deadlocks."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from tests.processes.gunicorn import gunicorn, workers_of
from tests.processes.programs import eventually, get_json, metrics, next_json, program
from tests.servers.running import free_port

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

CHILD = """
    def report():
        import json, os, time
        import heap_exporter
        deadline = time.monotonic() + 20
        while (heap_exporter.current() is None or heap_exporter.current().url is None) and time.monotonic() < deadline:
            time.sleep(0.02)
        exporter = heap_exporter.current()
        held = [object() for _ in range(10)]
        print(json.dumps({"pid": os.getpid(), "url": exporter and exporter.url}), flush=True)
"""


def healthy_pid(url: str) -> int:
    return int(get_json(f"{url}-/healthy")["pid"])


def assert_reports_for(url: str, pid: int) -> None:
    assert healthy_pid(url) == pid
    eventually(lambda: metrics(url)["python_heap_resident_bytes"] - resident_bytes(pid), lambda off: abs(off) < 4 << 20)


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) * 1024


def test_a_forked_child_reports_its_own_values_on_its_own_port(tmp_path: Path) -> None:
    code = f"""
        import json, os, sys, time
        import heap_exporter
        exporter = heap_exporter.start(port=0, interval=0.2)
        print(json.dumps({{"pid": os.getpid(), "url": exporter.url}}), flush=True)
        {CHILD.strip()}
        if os.fork() == 0:
            ballast = bytearray(b"x") * (40 << 20)
            report()
        sys.stdin.readline()
        """
    with program(_dedent(code), tmp_path) as process:
        parent, child = next_json(process), next_json(process)

        assert parent["url"] != child["url"]
        assert parent["pid"] != child["pid"]
        eventually(lambda: metrics(child["url"])["python_heap_resident_bytes"], lambda size: size > 50 << 20)
        assert_reports_for(parent["url"], parent["pid"])
        assert_reports_for(child["url"], child["pid"])
        os.kill(child["pid"], signal.SIGKILL)
        assert_reports_for(parent["url"], parent["pid"])


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_multiprocessing_child_reports_for_itself(method: str, tmp_path: Path) -> None:
    code = f"""
        import json, multiprocessing, os, sys
        import heap_exporter
        {CHILD.strip()}
        def work():
            heap_exporter.start(interval=0.2)
            report()
            sys.stdin = open(0)
            multiprocessing.parent_process().join()
        if __name__ == "__main__":
            exporter = heap_exporter.start(interval=0.2)
            print(json.dumps({{"pid": os.getpid(), "url": exporter.url}}), flush=True)
            child = multiprocessing.get_context({method!r}).Process(target=work, daemon=True)
            child.start()
            sys.stdin.readline()
        """
    with program(_dedent(code), tmp_path, HEAP_EXPORTER_PORT=str(free_port())) as process:
        parent, child = next_json(process), next_json(process)

        assert parent["url"] != child["url"]
        assert_reports_for(parent["url"], parent["pid"])
        assert_reports_for(child["url"], child["pid"])


def test_a_page_mounted_in_a_child_that_is_no_member_yet_shows_the_parent_as_itself_only(tmp_path: Path) -> None:
    code = """
        import json, os
        import heap_exporter
        pages = heap_exporter.make_wsgi_app(interval=0.1)
        def ask():
            environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/metrics", "SERVER_NAME": "x", "SERVER_PORT": "80",
                       "wsgi.url_scheme": "http", "wsgi.input": None, "HTTP_ACCEPT": "text/plain"}
            return b"".join(pages(environ, lambda *_: None)).decode()
        ask()
        held = [bytearray(b"x") * 1000 for _ in range(100_000)]
        del held
        while "python_heap_type_bytes" not in ask():
            pass
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.write(writer, ask().encode())
            os._exit(0)
        os.close(writer)
        child = open(reader).read()
        own = [line for line in ask().splitlines() if line.startswith("python_heap_process_start_time_seconds")]
        of_child = [line for line in child.splitlines() if line.startswith("python_heap_process_start_time_seconds")]
        print(json.dumps([len(own), own == of_child]), flush=True)
        """
    with program(code, tmp_path) as process:
        assert next_json(process) == [1, True]


def test_a_forked_child_serves_its_mounted_asgi_pages_after_the_parent_did(tmp_path: Path) -> None:
    code = """
        import asyncio, json, os
        import heap_exporter
        pages = heap_exporter.make_asgi_app()
        async def ask():
            sent = []
            async def receive():
                return {"type": "http.request", "body": b"", "more_body": False}
            async def send(message):
                sent.append(message)
            scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
                     "path": "/-/healthy", "raw_path": b"/-/healthy", "root_path": "", "scheme": "http",
                     "query_string": b"", "headers": [],
                     "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80)}
            await asyncio.wait_for(pages(scope, receive, send), 10)
            return sent[0]["status"]
        statuses = [asyncio.run(ask())]
        pid = os.fork()
        if pid == 0:
            os._exit(0 if asyncio.run(ask()) == 200 else 1)
        print(json.dumps([*statuses, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]), flush=True)
        """
    with program(code, tmp_path) as process:
        assert next_json(process) == [200, 0]


def test_children_that_end_at_once_open_no_port(tmp_path: Path) -> None:
    code = """
        import json, os, time
        import heap_exporter
        exporter = heap_exporter.start(port=0, interval=0.05)
        began = time.monotonic()
        codes = []
        for _ in range(100):
            pid = os.fork()
            if pid == 0:
                os._exit(7)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        print(json.dumps(codes.count(7)), flush=True)
        """
    with program(code, tmp_path) as process:
        assert next_json(process) == 100


def test_forks_from_many_threads_while_sampling_never_deadlock(tmp_path: Path) -> None:
    code = """
        import json, logging, os, threading
        import heap_exporter
        exporter = heap_exporter.start(
            port=0, interval=0.05, census_interval=0.2, census_cpu=100)
        codes = []
        def fork():
            for _ in range(15):
                pid = os.fork()
                if pid == 0:
                    heap_exporter.current().verdict()
                    exporter.monitor.reading()
                    os._exit(3)
                codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        threads = [threading.Thread(target=fork) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        print(json.dumps(codes.count(3)), flush=True)
        """
    with program(code, tmp_path) as process:
        assert next_json(process) == 120


def test_a_child_that_stops_its_exporter_leaves_the_port_of_the_parent_open(tmp_path: Path) -> None:
    code = """
        import json, os, sys
        import heap_exporter
        exporter = heap_exporter.start(port=0)
        if os.fork() == 0:
            exporter.stop()
            os._exit(0)
        os.wait()
        print(json.dumps(exporter.url), flush=True)
        sys.stdin.readline()
        """
    with program(code, tmp_path) as process:
        assert healthy_pid(next_json(process)) == process.pid


def test_a_daemon_that_forks_from_its_parent_keeps_its_port(tmp_path: Path) -> None:
    port = free_port()
    code = """
        import os, time
        import heap_exporter
        heap_exporter.start()
        if os.fork():
            os._exit(0)
        time.sleep(60)
        """
    with program(code, tmp_path, HEAP_EXPORTER_PORT=str(port)) as process:
        pid = eventually(lambda: healthy_pid(f"http://127.0.0.1:{port}/"), lambda pid: pid != process.pid)
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["own import", "preload"])
def test_every_gunicorn_worker_reports_for_itself(options: tuple[str, ...], tmp_path: Path) -> None:
    with gunicorn(tmp_path, *options) as service:
        workers = workers_of(service)

        assert len(set(workers.values())) == 2
        for pid, url in workers.items():
            assert_reports_for(url, pid)


def test_a_gunicorn_with_preload_replaces_a_killed_worker_by_one_that_reports(tmp_path: Path) -> None:
    with gunicorn(tmp_path, "--preload") as service:
        before = workers_of(service)
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        answer = eventually(lambda: get_json(service), lambda found: found["pid"] not in before and found["url"])

        assert_reports_for(answer["url"], answer["pid"])


def test_gunicorn_reloads_while_another_program_has_the_port_and_serves_it_again_afterwards(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with gunicorn(tmp_path, exporter_port=port) as service:
            first = workers_of(service)
            reload(service)
            second = workers_of(service, but=first)
            other.close()
            owner = eventually(lambda: healthy_pid(f"http://127.0.0.1:{port}/"), lambda pid: pid in second)
            assert_reports_for(second[owner], owner)  # on its first port too

            reload(service)
            third = workers_of(service, but=second)
            eventually(lambda: healthy_pid(f"http://127.0.0.1:{port}/"), lambda pid: pid in third)


def reload(service: str) -> None:
    os.kill(get_json(service)["parent"], signal.SIGHUP)


def _dedent(code: str) -> str:
    """Return a program made of parts with different indentation."""
    import textwrap

    head, _, tail = code.partition(CHILD.strip())
    return textwrap.dedent(head) + "\n" + textwrap.dedent(CHILD) + "\n" + textwrap.dedent(tail)
