"""The alert of a leak in a real process: in the log, to the listeners, to the webhook."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.doubles.otlp_receivers import silent_receiver
from tests.doubles.webhooks import webhook_server
from tests.processes.programs import eventually, metrics, next_json, program, window_settings

LEAKS = """
import json, logging, os, time
import heap_exporter

class AlertHandler(logging.Handler):
    def emit(self, record):
        if hasattr(record, "heap_exporter_alert"):
            show(["log", record.levelno, record.getMessage(), record.heap_exporter_alert])

def show(value):
    os.write(1, f"{json.dumps(value)}\\n".encode())  # one write: several threads show values

logging.getLogger("heap_exporter").addHandler(AlertHandler())
exporter = heap_exporter.start(port=0)
exporter.on("leak", lambda alert: show(["listener", alert.fingerprint]))
show(exporter.url)

class Session:
    def __init__(self):
        self.text = bytes(10_000)

SESSIONS = {}
while True:
    for _ in range(20):
        SESSIONS[len(SESSIONS)] = Session()
    time.sleep(0.02)
"""


def test_an_alert_is_logged_and_sent_to_listeners_and_webhook(tmp_path: Path) -> None:
    named = {"OTEL_SERVICE_NAME": "shop", **window_settings(3)}
    with (
        webhook_server() as received,
        program(LEAKS, tmp_path, HEAP_EXPORTER_ALERT_WEBHOOK_URL=received.url, **named) as leak,
    ):
        url = next_json(leak)
        way, level, message, logged = next_json(leak)
        listener, fingerprint = next_json(leak)
        posted = received.next()
        counted = eventually(
            lambda: metrics(url), lambda found: found.get('heap_exporter_webhooks_total{outcome="sent"}') == 1
        )

    assert (way, level, listener) == ("log", logging.WARNING, "listener")
    assert message.startswith("memory leak confirmed in shop (worker 0, process ")
    assert posted == logged
    assert posted["fingerprint"] == fingerprint
    assert posted["pid"] == leak.pid
    assert posted["cause"] == "python-objects"
    assert posted["holder"].endswith("SESSIONS")
    assert posted["growth_bytes"] > 0
    assert len(posted["snapshots"]) == 2
    assert all(Path(snapshot["path"]).exists() for snapshot in posted["snapshots"])
    assert counted['heap_exporter_webhooks_total{outcome="failed"}'] == 0


def test_a_webhook_that_hangs_delays_no_sample_and_no_listener(tmp_path: Path) -> None:
    window = window_settings(3)
    with (
        silent_receiver() as (hanging, came),
        program(LEAKS, tmp_path, HEAP_EXPORTER_ALERT_WEBHOOK_URL=hanging, **window) as leak,
    ):
        url = next_json(leak)
        assert next_json(leak)[0] == "log"
        assert next_json(leak)[0] == "listener"
        assert came.wait(20)
        before = metrics(url)["heap_exporter_last_sample_timestamp_seconds"]
        eventually(lambda: metrics(url)["heap_exporter_last_sample_timestamp_seconds"], lambda now: now > before + 1)


@pytest.mark.long
def test_a_listener_that_hangs_delays_no_sample_no_webhook_and_no_other_listener(tmp_path: Path) -> None:
    hangs = """
import sys, threading
from heap_exporter.notify import listeners
listeners.HANGING_SECONDS = 3.0
exporter.on("leak", lambda alert: (show(["hangs"]), threading.Event().wait()))
exporter.on("leak", lambda alert: show(["other"]))
threading.Thread(target=lambda: (sys.stdin.readline(), exporter.stop(), show("stopped"), os._exit(0))).start()
"""
    code = LEAKS.replace("show(exporter.url)\n", f"show(exporter.url)\n{hangs}")
    with (
        webhook_server() as received,
        program(code, tmp_path, HEAP_EXPORTER_ALERT_WEBHOOK_URL=received.url, **window_settings(3)) as leak,
    ):
        url = next_json(leak)
        assert next_json(leak)[0] == "log"
        assert sorted(next_json(leak)[0] for _ in range(3)) == ["hangs", "listener", "other"]
        received.next()
        before = metrics(url)["heap_exporter_last_sample_timestamp_seconds"]
        found = eventually(
            lambda: metrics(url), lambda found: found['heap_exporter_listener_calls_total{outcome="hung"}'] == 1
        )
        assert leak.stdin
        print("stop", file=leak.stdin, flush=True)
        assert next_json(leak) == "stopped"

    assert found["heap_exporter_last_sample_timestamp_seconds"] > before
    assert found['heap_exporter_listener_calls_total{outcome="returned"}'] == 2


SUCCESSOR = """
import sys
import heap_exporter
heap_exporter.start(port=0)
sys.stdin.read()
"""


@pytest.mark.long
def test_the_alert_of_a_process_that_was_killed_is_resolved_by_the_one_that_replaces_it(tmp_path: Path) -> None:
    named = {"OTEL_SERVICE_NAME": "shop", **window_settings(3)}
    with webhook_server() as received:
        named["HEAP_EXPORTER_ALERT_WEBHOOK_URL"] = received.url
        with program(LEAKS, tmp_path, **named) as leak:
            fired = received.next()
            leak.kill()
            leak.wait()
        with program(SUCCESSOR, tmp_path, **named):
            resolved = received.next()

    assert (fired["status"], resolved["status"]) == ("firing", "resolved")
    assert (fired["fingerprint"], fired["pid"]) == (resolved["fingerprint"], resolved["pid"])
    assert resolved["ended_at"] > fired["judged_at"]
    assert resolved["text"].endswith("the process has ended")
