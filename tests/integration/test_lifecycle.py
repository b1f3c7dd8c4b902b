"""Start, stop, and all that can be wrong with a port or a source."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.processes.programs import eventually, get, get_json, metrics, next_json, program, window_settings
from tests.servers.running import free_port

WAITING = """
    import json, signal, sys, time
    import heap_exporter
    {first}
    exporter = heap_exporter.start(port=0, interval=0.1)
    print(json.dumps(exporter.url), flush=True)
    {wait}
"""
# Python handles a signal that arrives just before a sleep after the sleep, with or without the exporter: sleep briefly.
SLEEPING = "while True: time.sleep(0.05)"
EXIT_WITH_5 = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))"


def waiting(wait: str, first: str = "") -> str:
    return WAITING.format(wait=wait, first=first)


@pytest.mark.parametrize(
    ("code", "number", "status"),
    [
        (waiting(SLEEPING), signal.SIGTERM, -signal.SIGTERM),
        (waiting(SLEEPING), signal.SIGINT, 1),
        (waiting(SLEEPING, first=EXIT_WITH_5), signal.SIGTERM, 5),
        (waiting("sys.stdin.readline()"), None, 0),
        (waiting("exporter.stop(); exporter.stop()"), None, 0),
    ],
    ids=["SIGTERM", "Ctrl-C", "SIGTERM with a handler", "end of the program", "stop() twice"],
)
def test_every_kind_of_exit_takes_less_than_two_seconds_and_frees_the_port(
    code: str, number: int | None, status: int, tmp_path: Path
) -> None:
    begun = time.monotonic()
    with program(code, tmp_path) as process:
        url = next_json(process)
        patience = 2.5 + time.monotonic() - begun  # a slow machine starts and stops slowly
        with _connection_in_use(url) if "stop()" not in code else contextlib.nullcontext():
            if number is None:
                process.communicate(timeout=patience)
            else:
                process.send_signal(number)

            assert process.wait(patience) in (status, -number if number == signal.SIGINT else status)
        port = int(url.rsplit(":", 1)[1].rstrip("/"))
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))


@pytest.mark.parametrize("way_in", ["start(port=0)", "register()", "make_wsgi_app()"])
def test_a_program_that_ends_at_once_writes_nothing(way_in: str, tmp_path: Path) -> None:
    with program(f"import heap_exporter; heap_exporter.{way_in}", tmp_path, PYTHONWARNINGS="error") as process:
        output = process.communicate(timeout=20)

    assert (process.returncode, output) == (0, ("", ""))


def _connection_in_use(url: str) -> socket.socket:
    """Return a connection with half a request sent."""
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    client = socket.create_connection((host, int(port)))
    client.sendall(b"GET /metrics HTTP/1.1\r\nHost:")
    return client


def test_no_thread_of_the_exporter_receives_a_signal_for_the_application(tmp_path: Path) -> None:
    with program(waiting(SLEEPING), tmp_path) as process:
        next_json(process)
        blocked = {}
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            fields = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines())
            blocked[int(task.name)] = int(fields["SigBlk"], 16)

    terminate = 1 << (signal.SIGTERM - 1)
    assert len(blocked) > 2
    assert {pid for pid, mask in blocked.items() if not mask & terminate} == {process.pid}


def test_a_kill_during_a_snapshot_leaves_no_partial_file(tmp_path: Path) -> None:
    code = """
        import json, sys, threading, time
        import heap_exporter
        held = [[i] for i in range(400_000)]
        exporter = heap_exporter.start(port=0)
        threading.Thread(target=exporter.snapshot, daemon=True).start()
        print(json.dumps(exporter.url), flush=True)
        time.sleep(60)
        """
    with program(code, tmp_path) as process:
        next_json(process)
        process.kill()
        process.wait()

    folder = tmp_path / "snapshots"
    assert [path for path in folder.glob("*.heap") if path.stat().st_size < 100] == []
    assert list(folder.glob(".*")) == []


def test_stop_ends_all_threads_and_closes_all_descriptors_of_the_exporter(tmp_path: Path) -> None:
    code = """
        import json, os, threading, time
        import heap_exporter
        heap_exporter.start(port=0).stop()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            with heap_exporter.start(port=0) as exporter:
                exporter.snapshot()
        deadline = time.monotonic() + 30
        while threading.active_count() > 1 and time.monotonic() < deadline:
            time.sleep(0.01)  # on a busy machine a thread may end after the stop
        print(json.dumps([len(os.listdir("/proc/self/fd")) - before, [t.name for t in threading.enumerate()]]))
        """
    with program(code, tmp_path) as process:
        assert next_json(process) == [0, ["MainThread"]]


def test_a_stop_cancels_a_large_census(tmp_path: Path) -> None:
    code = """
        import json, threading, time
        import heap_exporter
        held = [[i] for i in range(2_000_000)]
        exporter = heap_exporter.start(port=0, walker="portable")  # for so many objects it takes a second or more
        time.sleep(0.1)
        exporter.stop()
        deadline = time.monotonic() + 30
        while threading.active_count() > 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        print(json.dumps([exporter.monitor.reading().census is None, threading.active_count()]))
        """
    with program(code, tmp_path) as process:
        assert next_json(process) == [True, 1]


def test_a_second_start_returns_the_same_exporter(tmp_path: Path) -> None:
    code = """
        import json, threading
        import heap_exporter
        first = heap_exporter.start(port=0)
        threads = threading.active_count()
        second = heap_exporter.start(port=0)
        print(json.dumps([first is second, threading.active_count() - threads]))
        """
    with program(code, tmp_path) as process:
        assert next_json(process) == [True, 0]


def test_starts_from_many_threads_at_once_return_one_exporter(tmp_path: Path) -> None:
    code = """
        import json
        from concurrent.futures import ThreadPoolExecutor
        import heap_exporter
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(lambda _: heap_exporter.start(port=0).url, range(64)))
        print(json.dumps(len(set(found))))
        """
    with program(code, tmp_path) as process:
        assert next_json(process) == 1


def test_a_stopped_exporter_can_be_started_again(tmp_path: Path) -> None:
    code = """
        import json, sys
        import heap_exporter
        heap_exporter.start(port=0).stop()
        print(json.dumps(heap_exporter.start(port=0).url), flush=True)
        sys.stdin.readline()
        """
    with program(code, tmp_path) as process:
        assert get_json(f"{next_json(process)}-/healthy")["pid"] == process.pid


def test_two_services_with_one_port_share_it_and_the_second_serves_it_once_the_first_ends(tmp_path: Path) -> None:
    code = """
        import json, sys
        import heap_exporter
        print(json.dumps(heap_exporter.start().url), flush=True)
        sys.stdin.readline()
        """
    port = str(free_port())
    wanted = f"http://127.0.0.1:{port}/"
    with program(code, tmp_path, HEAP_EXPORTER_PORT=port) as first:
        assert next_json(first) == wanted
        with program(code, tmp_path, HEAP_EXPORTER_PORT=port) as second:
            other = next_json(second)
            assert get_json(f"{other}-/healthy")["pid"] == second.pid
            assert first.communicate("\n", timeout=20) == ("", "")

            assert eventually(lambda: get_json(f"{wanted}-/healthy")["pid"]) == second.pid
            assert get_json(f"{other}-/healthy")["pid"] == second.pid
            _, log = second.communicate("\n", timeout=20)

    assert other == f"{wanted}processes/program.py-1/"
    assert log == ""


def test_two_services_with_two_folders_and_one_port_both_start_and_the_second_has_it_once_the_first_ends(
    tmp_path: Path,
) -> None:
    code = """
        import json, sys
        import heap_exporter
        from heap_exporter.web import server
        server.PORT_RETRY_SECONDS = 0.1
        print(json.dumps(heap_exporter.start().url), flush=True)
        sys.stdin.readline()
        """
    port = str(free_port())
    wanted = f"http://127.0.0.1:{port}/"
    with program(code, tmp_path, HEAP_EXPORTER_PORT=port) as first:
        assert next_json(first) == wanted
        own_folder = {"HEAP_EXPORTER_PORT": port, "HEAP_EXPORTER_SNAPSHOT_DIR": str(tmp_path / "other")}
        with program(code, tmp_path, **own_folder) as second:
            other = next_json(second)
            assert get_json(f"{other}-/healthy")["pid"] == second.pid
            assert first.communicate("\n", timeout=20) == ("", "")

            assert eventually(lambda: get_json(f"{wanted}-/healthy")["pid"]) == second.pid
            assert get_json(f"{other}-/healthy")["pid"] == second.pid
            _, log = second.communicate("\n", timeout=20)

    assert log == (
        f"heap-exporter in process {second.pid} is listening on {other}: another process uses port {port}; "
        "heap-exporter tries it again every 0.1 s\n"
    )


def test_with_strict_a_port_of_another_program_is_a_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        code = f"""
            import json
            import heap_exporter
            try:
                heap_exporter.start(port={port}, strict=True)
            except heap_exporter.HeapExporterError as error:
                print(json.dumps([str(error), heap_exporter.current() is None]))
            """
        with program(code, tmp_path) as process:
            words, nothing_runs = next_json(process)

    assert words == (
        f"another process is already using 127.0.0.1:{port}; "
        "set HEAP_EXPORTER_PORT to a free port, or to 0 for any free port"
    )
    assert nothing_runs


def test_a_start_that_fails_leaves_nothing_running(tmp_path: Path) -> None:
    code = """
        import gc, json, os, threading
        from unittest.mock import patch
        import prometheus_client
        import heap_exporter
        from heap_exporter import HeapMonitor
        from heap_exporter.export import otlp, prometheus
        from heap_exporter.runtime import forks
        from heap_exporter.web.app import App
        from heap_exporter.web.server import HttpServer

        def state():
            threads, descriptors = [thread.name for thread in threading.enumerate()], len(os.listdir("/proc/self/fd"))
            return [threads, descriptors, len(gc.callbacks), len(forks._registered), heap_exporter.current() is None]

        def fails(faulty, name, way_in):
            with patch.object(faulty, name, side_effect=RuntimeError("can't start new thread")):
                try:
                    way_in()
                except RuntimeError:
                    return state()

        with heap_exporter.start(port=0):
            pass
        before = state()
        print(json.dumps([before] * 5), flush=True)
        registry = prometheus_client.CollectorRegistry()
        print(json.dumps([
            fails(registry, "register", lambda: heap_exporter.register(registry)),
            fails(HeapMonitor, "start", lambda: heap_exporter.start(port=0, otlp_endpoint="http://127.0.0.1:9/")),
            fails(HttpServer, "start", lambda: heap_exporter.start(port=0)),
            fails(App, "__init__", heap_exporter.make_wsgi_app),
            fails(threading.Thread, "start", HeapMonitor().start),
        ]), flush=True)
        """
    with program(code, tmp_path) as process:
        before, after = next_json(process), next_json(process)

    assert after == before


def test_a_clock_past_the_year_9999_breaks_no_page_and_no_snapshot(tmp_path: Path) -> None:
    code = """
        import json, sys, time
        now = time.time
        time.time = lambda: now() + 3e11
        import heap_exporter
        exporter = heap_exporter.start(port=0, interval=0.1, census_interval=0.2)
        print(json.dumps(exporter.url), flush=True)
        sys.stdin.readline()
        print(json.dumps([exporter.snapshot().id[:8], exporter.monitor.reading().counters.sample_errors]), flush=True)
        sys.stdin.readline()
        """
    with program(code, tmp_path) as process:
        url = next_json(process)
        eventually(lambda: get_json(f"{url}census"))
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        begun, errors = next_json(process)
        answers = [get(url + page, accept="text/html") for page in ("", "metrics", "census", "snapshots", "-/healthy")]
        found = get_json(f"{url}snapshots")["snapshots"][0]
        get_json(url + found["url"][1:])
        _, log = process.communicate("\n", timeout=20)

    assert begun == "99991231"
    assert all(answers)
    assert {source for source, count in errors.items() if count} == set()
    assert log == ""


def test_a_disabled_exporter_starts_nothing(tmp_path: Path) -> None:
    code = """
        import json, threading
        import heap_exporter
        exporter = heap_exporter.start()
        print(json.dumps([exporter.url, threading.active_count()]))
        """
    with program(code, tmp_path, HEAP_EXPORTER_ENABLED="false") as process:
        assert next_json(process) == [None, 1]


def test_a_bad_setting_makes_start_raise_an_error_with_its_name(tmp_path: Path) -> None:
    code = "import heap_exporter; heap_exporter.start()"
    with program(code, tmp_path, HEAP_EXPORTER_INTERVAL="often") as process:
        _, errors = process.communicate(timeout=20)

    assert process.returncode == 1
    assert "HEAP_EXPORTER_INTERVAL must be a duration such as 15m, 90s or 1h30m, not 'often'" in errors


def test_listeners_are_called_once_for_a_leak_and_one_that_raises_stops_nothing(tmp_path: Path) -> None:
    code = """
        import json, time
        import heap_exporter
        alerts = []
        def broken(alert):
            raise RuntimeError("a bug of the application")
        monitor = heap_exporter.HeapMonitor()
        monitor.on("leak", broken)
        monitor.on("leak", alerts.append)
        monitor.start()
        held = []
        deadline = time.monotonic() + 200
        while not alerts and time.monotonic() < deadline:
            held.append([bytearray(b"x") * 100_000])
            time.sleep(0.01)
        counters = monitor.reading().counters
        monitor.stop()
        paths = [str(info.path) for info in alerts[0].snapshots]
        print(json.dumps([len(alerts), alerts[0].verdict.state, paths, counters.alerts]))
        """
    with program(code, tmp_path, **window_settings(3)) as process:
        count, state, paths, called = next_json(process)

    assert (count, state, called) == (1, "confirmed", 1)
    assert len(paths) == 2
    assert all(Path(path).exists() for path in paths)


FROZEN = """
    import gc, json, sys
    import heap_exporter
    class Item: pass
    items = [Item() for _ in range(5000)]
    gc.freeze()
    exporter = heap_exporter.start(
        port=0, interval=0.1, census_interval=0.2, census_cpu=100)
    print(json.dumps(exporter.url), flush=True)
    sys.stdin.readline()
    """


def test_a_frozen_heap_is_counted_like_any_other(tmp_path: Path) -> None:
    with program(FROZEN, tmp_path) as process:
        url = next_json(process)

        found = eventually(
            lambda: metrics(url), lambda page: 'python_heap_type_objects{type_name="__main__.Item"}' in page
        )

        assert found['python_heap_type_objects{type_name="__main__.Item"}'] == 5000


def test_with_a_frozen_heap_the_portable_walker_leaves_out_the_census_only(tmp_path: Path) -> None:
    with program(FROZEN, tmp_path, HEAP_EXPORTER_WALKER="portable") as process:
        url = next_json(process)
        errors = 'heap_exporter_sample_errors_total{source="census"}'
        found = eventually(lambda: metrics(url), lambda page: page.get(errors, 0) >= 2)

        assert not [name for name in found if name.startswith("python_heap_type_")]
        assert found["python_heap_resident_bytes"] > 1 << 20
        assert found['python_heap_gc_objects{generation="permanent"}'] > 1000


def test_without_pymalloc_the_blocks_are_left_out_and_counted_as_an_error(tmp_path: Path) -> None:
    code = waiting("sys.stdin.readline()")
    with program(code, tmp_path, PYTHONMALLOC="malloc") as process:
        url, errors = next_json(process), 'heap_exporter_sample_errors_total{source="blocks"}'
        found = eventually(lambda: metrics(url), lambda page: errors in page)

    assert "python_heap_allocated_blocks" not in found
    assert found[errors] >= 1


def test_without_mallinfo2_as_on_musl_the_malloc_metrics_are_left_out_and_counted_as_an_error(
    tmp_path: Path,
) -> None:
    code = """
        import ctypes, json, sys
        class AnotherLibrary(ctypes.CDLL):
            def __getattr__(self, name):
                if name == "mallinfo2":
                    raise AttributeError(name)
                return super().__getattr__(name)
        ctypes.CDLL = AnotherLibrary
        import heap_exporter
        print(json.dumps(heap_exporter.start(port=0, interval=0.1).url), flush=True)
        sys.stdin.readline()
        """
    with program(code, tmp_path) as process:
        url = next_json(process)
        found = eventually(
            lambda: metrics(url), lambda page: page.get('heap_exporter_sample_errors_total{source="malloc"}')
        )

    assert not [name for name in found if name.startswith("python_heap_malloc")]
    assert found["python_heap_allocated_blocks"] > 0


@pytest.mark.skipif(os.geteuid() != 0, reason="hiding /proc needs root")
def test_with_proc_hidden_the_page_still_answers(tmp_path: Path) -> None:
    code = """
        import ctypes, json, sys
        import psutil
        libc = ctypes.CDLL(None, use_errno=True)
        CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 1 << 18
        if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
            print(json.dumps(None), flush=True)
            sys.exit()
        libc.mount(b"tmpfs", b"/proc", b"tmpfs", 0, None)
        import heap_exporter
        print(json.dumps(heap_exporter.start(port=0, interval=0.1).url), flush=True)
        sys.stdin.readline()
        """
    with program(code, tmp_path) as process:
        url = next_json(process)
        if url is None:
            pytest.skip("mount namespaces are not allowed on this machine")
        found = eventually(
            lambda: metrics(url), lambda page: page.get('heap_exporter_sample_errors_total{source="process"}', 0) > 1
        )

    assert "python_heap_resident_bytes" not in found
    assert found["python_heap_allocated_blocks"] > 0


def test_a_judge_that_raises_leaves_the_page_fresh_and_is_counted_and_logged_once(tmp_path: Path) -> None:
    code = """
        import json, sys
        import heap_exporter
        from heap_exporter.detection.judge import Judge

        def broken(*arguments):
            raise ZeroDivisionError("a bug in the judge")

        Judge.judge = broken
        print(json.dumps(heap_exporter.start(port=0, interval=0.1).url), flush=True)
        sys.stdin.readline()
        """
    errors, sampled_at = "heap_exporter_sample_errors_total", "heap_exporter_last_sample_timestamp_seconds"
    judge = f'{errors}{{source="judge"}}'
    with program(code, tmp_path) as process:
        url = next_json(process)
        first = eventually(lambda: metrics(url), lambda page: page.get(judge, 0) >= 1)
        later = eventually(lambda: metrics(url), lambda page: page.get(judge, 0) >= first[judge] + 2)
        _, log = process.communicate("\n", timeout=20)

    assert later[sampled_at] > first[sampled_at]
    assert [name for name, count in later.items() if name.startswith(errors) and count] == [judge]
    assert log.count("judge failed (1 error since heap-exporter started): ZeroDivisionError: a bug in the judge") == 1
    assert log.count("judge failed") == 1
