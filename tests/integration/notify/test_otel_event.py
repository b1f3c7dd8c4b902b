"""Alerts as OpenTelemetry events, in real processes with and without the SDK."""

from __future__ import annotations

from pathlib import Path

from tests.processes.programs import next_json, program

ROOT = Path(__file__).parents[3]

ALERT = f"""
import json, sys
sys.path.insert(0, {str(ROOT)!r})
from heap_exporter.notify import otel_event
from heap_exporter.notify.payload import alert_document
from tests.examples.alerts import bare_alert, full_alert

def show(value):
    print(json.dumps(value), flush=True)
"""

PROVIDER = """
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.sdk import _logs as sdk
from opentelemetry.sdk._logs import export
from opentelemetry.sdk.resources import Resource

memory = getattr(export, "InMemoryLogRecordExporter", None) or export.InMemoryLogExporter
exporter = memory()
provider = sdk.LoggerProvider(resource=Resource({"service.name": "shop"}))
provider.add_log_record_processor(export.SimpleLogRecordProcessor(exporter))
set_logger_provider(provider)
"""


def test_the_provider_of_the_application_gets_one_event_with_flat_attributes(tmp_path: Path) -> None:
    code = """
from google.protobuf.json_format import MessageToDict
document = alert_document(full_alert())
emitted = otel_event.emit(document)
(resource,) = MessageToDict(encode_logs(exporter.get_finished_logs()))["resourceLogs"]
show([emitted, document["text"], resource])
"""
    with program(ALERT + PROVIDER + code, tmp_path) as process:
        emitted, text, resource = next_json(process)

    (scope,) = resource["scopeLogs"]
    (record,) = scope["logRecords"]
    attributes = {each["key"]: each["value"] for each in record["attributes"]}
    assert emitted is True
    assert resource["resource"]["attributes"][0]["value"] == {"stringValue": "shop"}
    assert scope["scope"]["name"] == "heap_exporter"
    event_name = record.get("eventName") or attributes["event.name"]["stringValue"]  # an attribute before 1.35
    assert (event_name, record["severityText"], record["body"]) == (
        "python.heap.leak", "WARN", {"stringValue": text},
    )  # fmt: skip  # one comparison
    assert attributes["python.heap.leak.holder"] == {"stringValue": "shop.sessions.SESSIONS"}
    assert attributes["python.heap.leak.growth.size"] == {"intValue": "61000000"}
    assert attributes["python.heap.leak.time_to_exhaustion"] == {"doubleValue": 5400.0}
    assert len(attributes["python.heap.leak.snapshots"]["arrayValue"]["values"]) == 1


def test_unknown_values_are_left_out(tmp_path: Path) -> None:
    code = "show(sorted(otel_event.attributes(alert_document(bare_alert()))))"
    with program(ALERT + code, tmp_path) as process:
        assert next_json(process) == [
            f"python.heap.leak.{name}" for name in ("confidence", "fingerprint", "reasons", "state")
        ]


def test_without_a_provider_nothing_is_imported_and_nothing_is_emitted(tmp_path: Path) -> None:
    code = """
emitted = otel_event.emit(alert_document(full_alert()))
show([emitted, [name for name in sys.modules if name.startswith("opentelemetry")]])
"""
    with program(ALERT + code, tmp_path) as process:
        assert next_json(process) == [False, []]


def test_a_provider_that_only_the_environment_names_is_not_created(tmp_path: Path) -> None:
    code = """
import opentelemetry._logs
show([otel_event.emit(alert_document(full_alert())), "opentelemetry.sdk._logs" in sys.modules])
"""
    with program(ALERT + code, tmp_path, OTEL_PYTHON_LOGGER_PROVIDER="sdk_logger_provider") as process:
        assert next_json(process) == [False, False]


def test_an_exception_in_a_processor_goes_no_further(tmp_path: Path) -> None:
    code = """
class Broken(sdk.LogRecordProcessor):
    def on_emit(self, log_data): raise RuntimeError("broken")
    emit = on_emit
    def shutdown(self): pass
    def force_flush(self, timeout_millis=0): return True
provider.add_log_record_processor(Broken())
show(otel_event.emit(alert_document(full_alert())))
"""
    with program(ALERT + PROVIDER + code, tmp_path) as process:
        assert next_json(process) is False


def test_a_processor_that_hangs_delays_no_listener(tmp_path: Path) -> None:
    code = """
import threading, time
from heap_exporter.notify.listeners import LeakListeners
from heap_exporter.notify.notifier import Notifier
from heap_exporter.settings import Settings
from queue import Queue
emits, received = threading.Event(), Queue()
class Hangs(sdk.LogRecordProcessor):
    def on_emit(self, log_data):
        emits.set()
        threading.Event().wait()
    emit = on_emit
    def shutdown(self): pass
    def force_flush(self, timeout_millis=0): return True
provider.add_log_record_processor(Hangs())
listeners = LeakListeners()
listeners.add("leak", received.put)
notifier = Notifier(Settings(), listeners)
notifier.send(full_alert())
found = [emits.wait(30), received.get(timeout=30).fingerprint == full_alert().fingerprint]
notifier.stop(time.monotonic())
show(found)
"""
    with program(ALERT + PROVIDER + code, tmp_path) as process:
        assert next_json(process) == [True, True]
