"""A service with small thread stacks receives deeply nested JSON wherever heap-exporter reads JSON from outside."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from heap_exporter.model import Point
from heap_exporter.recording.recorder import Recorder
from tests.heaps.files import HEADER, small_graph, write_file, write_payload
from tests.processes.programs import PATIENCE_SECONDS, eventually, get_json, metrics, next_json, program

STACK_BYTES = 128 << 10
"""It overflows in every supported CPython when it parses deep JSON on it; in 3.13, 1 MiB does too."""

DEEP = b"[" * 60_000

SERVICE = f"""
    import json, sys, threading
    threading.stack_size({STACK_BYTES})
    import heap_exporter
    exporter = heap_exporter.start(port=0, interval=0.1, upload_url="file:///nowhere")
    print(json.dumps(exporter.url), flush=True)
    sys.stdin.readline()
    """


def post(url: str, body: bytes) -> int:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code


def test_deep_json_in_a_request_and_in_every_file_of_the_folder_kills_no_service(tmp_path: Path) -> None:
    folder = tmp_path / "snapshots"
    folder.mkdir(mode=0o700)
    write_file(folder / f"{HEADER.id}.heap", small_graph)
    write_payload(folder / "20261122T070000Z-4712-a3f0.heap", b"", DEEP[:16_000])
    for name in ("budget.json", "uploads.json", f"{HEADER.id}.report.json"):
        (folder / name).write_bytes(DEEP)
    recorder = Recorder(folder, 1.0)
    recorder.record(Point(time.time(), 1), None)
    assert recorder.path is not None
    recorder.path.with_suffix(".json").write_bytes(DEEP)
    del recorder

    with program(SERVICE, tmp_path) as process:
        url = next_json(process)
        assert post(f"{url}snapshots", DEEP) == 400
        assert post(f"{url}census", DEEP) == 405
        assert [found["id"] for found in get_json(f"{url}snapshots?all=true")["snapshots"]] == [HEADER.id]
        assert get_json(f"{url}snapshots/{HEADER.id}")["comparison"] is None
        assert post(f"{url}snapshots", b"{}") == 201
        sampled_at = metrics(url)["heap_exporter_last_sample_timestamp_seconds"]
        eventually(lambda: metrics(url)["heap_exporter_last_sample_timestamp_seconds"] > sampled_at)
        process.communicate("\n", timeout=20)

    assert process.returncode == 0


@pytest.mark.parametrize("route", ["make_wsgi_app", "make_asgi_app"])
def test_deep_json_kills_no_thread_of_the_application_that_serves_the_mounted_pages(route: str, tmp_path: Path) -> None:
    code = f"""
        import asyncio, io, json, threading
        threading.stack_size({STACK_BYTES})
        import heap_exporter
        pages = heap_exporter.{route}(token="secret")
        body = b"[" * 60_000
        statuses = []
        def wsgi():
            pages({{"REQUEST_METHOD": "POST", "PATH_INFO": "/snapshots", "SERVER_NAME": "x", "SERVER_PORT": "80",
                   "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body), "CONTENT_TYPE": "application/json",
                   "CONTENT_LENGTH": str(len(body)), "HTTP_AUTHORIZATION": "Bearer secret"}},
                  lambda status, headers, *_: statuses.append(int(status[:3])))
        async def asgi():
            async def receive():
                return {{"type": "http.request", "body": body, "more_body": False}}
            async def send(message):
                statuses.extend([message["status"]] if "status" in message else [])
            scope = {{"type": "http", "asgi": {{"version": "3.0"}}, "http_version": "1.1", "method": "POST",
                     "path": "/snapshots", "raw_path": b"/snapshots", "root_path": "", "scheme": "http",
                     "query_string": b"", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
                     "headers": [(b"authorization", b"Bearer secret"), (b"content-type", b"application/json"),
                                 (b"content-length", str(len(body)).encode())]}}
            await asyncio.wait_for(pages(scope, receive, send), 20)
        answering = threading.Thread(target=wsgi if {route!r} == "make_wsgi_app" else lambda: asyncio.run(asgi()))
        answering.start()
        answering.join()
        print(json.dumps(statuses), flush=True)
        """
    with program(code, tmp_path) as process:
        assert next_json(process) == [400]


def test_a_child_that_is_forked_while_a_thread_starts_has_the_stack_size_of_the_application(tmp_path: Path) -> None:
    code = """
        import json, os, threading
        threading.stack_size(131072)
        import heap_exporter
        from heap_exporter.runtime import threads
        original = threading.Thread.start
        def start(thread):
            original(thread)
            if thread.name == "heap-exporter-test" and os.fork() == 0:
                print(json.dumps(threading.stack_size(0)), flush=True)
                os._exit(0)
        threading.Thread.start = start
        threads.start_thread("test", lambda: None)
        """
    with program(code, tmp_path) as process:
        assert next_json(process) == 131072
