"""One process pushes the metrics of all processes that share a snapshot folder over OTLP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.doubles.otlp_receivers import Receiver, http_receiver
from tests.processes.programs import environment, next_json, program
from tests.servers.running import free_port

SERVICE = """
    import json, os, sys
    import heap_exporter
    heap_exporter.start(interval=0.2, service="shop")
    pids = [os.getpid()]
    for _ in range(2):
        if (pid := os.fork()) == 0:
            sys.stdin.read()
            os._exit(0)
        pids.append(pid)
    print(json.dumps(pids), flush=True)
    sys.stdin.read()
    """


def workers(receiver: Receiver) -> set[str]:
    """Return the workers in the next push."""
    return {
        attribute.value.string_value
        for resource in receiver.next().resource_metrics
        for attribute in resource.resource.attributes
        if attribute.key == "heap_exporter.worker"
    }


def next_push_of(receiver: Receiver, wanted: Callable[[set[str]], bool]) -> set[str]:
    """Return the workers in the first push that is wanted."""
    return next(found for found in iter(lambda: workers(receiver), None) if wanted(found))


def settings(receiver: Receiver, port: int) -> dict[str, str]:
    return {
        "HEAP_EXPORTER_PORT": str(port),
        "HEAP_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_METRIC_EXPORT_INTERVAL": "300",
    }


def test_the_hub_pushes_for_all_and_after_its_end_another_process_does(tmp_path: Path) -> None:
    with http_receiver() as receiver, program(SERVICE, tmp_path, **settings(receiver, free_port())) as process:
        parent, *_ = next_json(process)
        next_push_of(receiver, {"0", "1", "2"}.__eq__)
        pushes = [workers(receiver) for _ in range(4)]
        os.kill(parent, signal.SIGKILL)
        left = next_push_of(receiver, {"1", "2"}.__eq__)

    assert pushes[1:] == [{"0", "1", "2"}] * 3
    assert left == {"1", "2"}


@pytest.mark.long
def test_a_hub_of_its_own_pushes_for_processes_that_open_no_port(tmp_path: Path) -> None:
    with http_receiver() as receiver:
        variables = settings(receiver, free_port())
        command = [sys.executable, "-m", "heap_exporter", "hub"]
        environ = environment(tmp_path, **variables)
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as hub:
            try:
                assert hub.stdout is not None
                assert hub.stdout.readline().startswith("serving ")
                with program(SERVICE, tmp_path, **variables, HEAP_EXPORTER_HUB="never") as process:
                    next_json(process)
                    next_push_of(receiver, {"0", "1", "2"}.__eq__)
                    pushes = [workers(receiver) for _ in range(4)]
            finally:
                hub.kill()

    assert pushes[1:] == [{"0", "1", "2"}] * 3
