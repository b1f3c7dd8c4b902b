"""A fork while the parent pushes: the child pushes as its own worker, runs no code of the parent, blocks nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from heap_exporter.export.otlp_receiver import OtlpProtocol
from tests.doubles.otlp_receivers import grpc_receiver, http_receiver

FORKING = """
import faulthandler, os, sys, threading
from dataclasses import replace
from heap_exporter.export.otlp import OtlpPusher
from heap_exporter.export.otlp_receiver import OtlpProtocol, OtlpReceiver
from tests.examples.readings import MEMBER, full_reading

def read():
    return replace(full_reading(), member=replace(MEMBER, worker=f"of-{os.getpid()}"))

def pushing():
    pushed, stop = threading.Event(), threading.Event()
    receiver = OtlpReceiver(sys.argv[1], OtlpProtocol(sys.argv[2]), 0.01)
    pusher = OtlpPusher(receiver, read, lambda outcome: outcome == "success" and pushed.set())
    threading.Thread(target=pusher.run, args=(stop,), daemon=True).start()
    return pusher, pushed, stop

pusher, pushed, stop = pushing()
assert pushed.wait(20)
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        faulthandler.dump_traceback_later(20, exit=True)
        inherited = threading.active_count()
        pusher, pushed, stop = pushing()
        worked = pushed.wait(15)
        stop.set()
        pusher.stop()
        os._exit(0 if worked and inherited == 1 else 3)
    children.append(child)
statuses = [os.waitpid(child, 0)[1] for child in children]
pushed.clear()
assert pushed.wait(20), "the parent pushes no more"
stop.set()
pusher.stop()
print(os.getpid(), *children)
assert statuses == [0, 0, 0], statuses
"""


def worker_and_instance(request: ExportMetricsServiceRequest) -> tuple[str, str]:
    attributes = {each.key: each.value.string_value for each in request.resource_metrics[0].resource.attributes}
    return attributes["heap_exporter.worker"], attributes["service.instance.id"]


@pytest.mark.parametrize("protocol", list(OtlpProtocol))
def test_parent_and_children_push_as_themselves(protocol: OtlpProtocol) -> None:
    with http_receiver() if protocol is OtlpProtocol.HTTP else grpc_receiver() as receiver:
        command = [sys.executable, "-c", FORKING, receiver.url, protocol]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)
        seen = {worker_and_instance(receiver.requests.get()) for _ in range(receiver.requests.qsize())}

    assert done.returncode == 0, done.stderr
    workers = {f"of-{pid}" for pid in done.stdout.split()}
    assert len(workers) == 4
    assert {worker for worker, _ in seen} == workers
    assert all(instance.endswith(f":shop:{worker}") for worker, instance in seen)
