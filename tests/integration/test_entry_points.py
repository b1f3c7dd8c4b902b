"""The three integrations: a port of its own, the registry of the application, pages mounted in the application."""

from __future__ import annotations

import gzip
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.processes.programs import eventually, get, get_json, metrics, next_json, program, window_settings


def test_a_thousand_scrapes_cause_no_census_and_no_sample(tmp_path: Path) -> None:
    code = """
        import json, sys
        import heap_exporter
        exporter = heap_exporter.start(
            port=0, window=86_400, interval=3600, census_interval=3600)
        print(json.dumps(exporter.url), flush=True)
        sys.stdin.readline()
        """
    with program(code, tmp_path) as process:
        url = next_json(process)
        before = eventually(lambda: metrics(url), lambda page: "heap_exporter_last_census_timestamp_seconds" in page)
        for _ in range(1000):
            get(f"{url}metrics", "text/plain")
        after = metrics(url)

    moved = {name for name in before if before[name] != after[name]}
    assert not [name for name in moved if name.startswith(("heap_exporter", "python_heap"))]
    assert "process_cpu_seconds_total" in moved


def test_a_small_process_has_at_most_160_series_of_the_exporter(tmp_path: Path) -> None:
    code = """
        import json, sys, time
        import heap_exporter
        exporter = heap_exporter.start(port=0)
        print(json.dumps(exporter.url), flush=True)
        sys.stdin.readline()
        """
    with program(code, tmp_path, **window_settings(2)) as process:
        url = next_json(process)
        eventually(lambda: metrics(url), lambda page: 'python_heap_leak_slope_bytes_per_second{kind="python"}' in page)
        for _ in range(50):
            get(url)
        series = [name for name in metrics(url) if name.startswith(("python_heap", "heap_exporter"))]

    assert 60 < len(series) <= 160


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text; version=1.0.0"])
def test_promtool_accepts_the_page_and_it_is_compressed(accept: str, promtool: Path, tmp_path: Path) -> None:
    code = """
        import json, sys
        import heap_exporter
        print(json.dumps(heap_exporter.start(port=0, interval=0.2).url), flush=True)
        sys.stdin.readline()
        """
    with program(code, tmp_path) as process:
        url = next_json(process)
        eventually(lambda: metrics(url), lambda page: "heap_exporter_last_census_timestamp_seconds" in page)
        request = urllib.request.Request(f"{url}metrics", headers={"Accept": accept, "Accept-Encoding": "gzip"})
        with urllib.request.urlopen(request) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            assert response.headers["Content-Type"].startswith(accept.split(";", maxsplit=1)[0])
            body = gzip.decompress(response.read())

    assert body.endswith(b"# EOF\n") == accept.startswith("application/openmetrics")
    if accept == "text/plain":
        linted = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, check=False)
        assert (linted.stderr.decode(), linted.returncode) == ("", 0)


def test_the_registry_of_the_application_has_the_metrics_of_all_its_processes(tmp_path: Path) -> None:
    code = """
        import json, os, sys
        from prometheus_client import Counter, start_http_server
        import heap_exporter
        Counter("shop_orders", "Orders.").inc()
        exporter = heap_exporter.register(interval=0.2)
        assert heap_exporter.register() is exporter
        if os.fork() == 0:
            sys.stdin.read()
            os._exit(0)
        server, _ = start_http_server(0, addr="127.0.0.1")
        print(json.dumps(f"http://127.0.0.1:{server.server_port}/"), flush=True)
        sys.stdin.readline()
        exporter.stop()
        """
    with program(code, tmp_path) as process:
        url = next_json(process)
        eventually(lambda: metrics(url), lambda page: "heap_exporter_last_census_timestamp_seconds" in page)
        page = eventually(
            lambda: get(f"{url}metrics", "text/plain"), lambda page: page.count("python_heap_process_info{") == 2
        )

    assert "\nshop_orders_total 1.0\n" in page
    assert "\nprocess_resident_memory_bytes " in page
    assert page.count("\npython_heap_resident_bytes{") == 2
    assert '\nheap_exporter_processes{service="program.py"} 2.0\n' in page


FLASK = """
    from flask import Flask
    from werkzeug.middleware.dispatcher import DispatcherMiddleware
    from werkzeug.serving import make_server
    import heap_exporter, json
    app = Flask("shop")
    app.add_url_rule("/", view_func=lambda: "shop")
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/memory": heap_exporter.make_wsgi_app(interval=0.2)})
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(json.dumps(f"http://127.0.0.1:{server.server_port}/"), flush=True)
    server.serve_forever()
"""

STARLETTE = """
    import asyncio, json, socket
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route
    import heap_exporter
    app = Starlette(routes=[
        Route("/", lambda request: PlainTextResponse("shop")),
        Mount("/memory", heap_exporter.make_asgi_app(interval=0.2)),
    ])
    listener = socket.create_server(("127.0.0.1", 0))
    print(json.dumps(f"http://127.0.0.1:{listener.getsockname()[1]}/"), flush=True)
    asyncio.run(uvicorn.Server(uvicorn.Config(app, log_level="warning")).serve([listener]))
"""


def refusal(url: str) -> tuple[int, str]:
    """Return the status and the message of a POST that is refused."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(url, data=b"")
    with refused.value as answer:
        return answer.code, answer.read().decode()


@pytest.mark.parametrize("code", [FLASK, STARLETTE], ids=["Flask", "Starlette"])
def test_mounted_pages_require_the_token(code: str, tmp_path: Path) -> None:
    with program(code, tmp_path, HEAP_EXPORTER_TOKEN="sesame") as process:
        url = next_json(process)
        mounted = f"{url}memory/"

        assert get(url, "text/plain") == "shop"
        eventually(lambda: metrics(mounted), lambda page: "heap_exporter_last_census_timestamp_seconds" in page)
        assert get_json(f"{mounted}-/healthy")["pid"] == process.pid
        assert refusal(f"{mounted}snapshots")[0] == 401
        request = urllib.request.Request(
            f"{mounted}snapshots", data=b"", headers={"Authorization": "Bearer sesame"}, method="POST"
        )
        with urllib.request.urlopen(request) as response:
            assert response.status == 201
            assert response.headers["Location"].startswith("/memory/snapshots/")


def test_mounted_pages_without_a_token_are_metrics_and_health_only(tmp_path: Path) -> None:
    with program(FLASK, tmp_path) as process:
        mounted = f"{next_json(process)}memory/"

        assert "python_heap_resident_bytes" in metrics(mounted)
        status, words = refusal(f"{mounted}snapshots")

    assert status == 403
    assert "HEAP_EXPORTER_TOKEN" in words


@pytest.mark.parametrize(
    ("settings", "warnings"),
    [
        ({"HEAP_EXPORTER_HOST": "0.0.0.0"}, 1),
        ({"HEAP_EXPORTER_HOST": "0.0.0.0", "HEAP_EXPORTER_TOKEN": "s3cret"}, 0),
        ({"HEAP_EXPORTER_HOST": "127.0.0.1"}, 0),
        ({"HEAP_EXPORTER_HOST": "localhost"}, 0),
    ],
)
def test_a_port_that_other_machines_reach_without_a_token_is_logged_once(
    settings: dict[str, str], warnings: int, tmp_path: Path
) -> None:
    code = """
        import heap_exporter, os
        heap_exporter.start(port=0)
        heap_exporter.start(port=0)
        if (pid := os.fork()):
            os.waitpid(pid, 0)
        """
    with program(code, tmp_path, **settings) as process:
        _, errors = process.communicate(timeout=60)

    assert errors.count("without a token: every machine that can reach it can read /metrics and /-/healthy") == warnings
    assert errors.count("HEAP_EXPORTER_HOST=127.0.0.1 to accept connections only from this machine") == warnings
