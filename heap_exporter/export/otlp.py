"""Pushes the catalogue's metrics over OTLP, or lends them to the application's own MeterProvider.

A push is one :class:`~heap_exporter.model.Reading`, put into the SDK's data classes and given to the SDK's exporter.
A MeterProvider of our own would add nothing to that but hooks that run, and threads that start, in every forked child.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value
from opentelemetry.sdk.metrics.export import MetricsData

from heap_exporter.export import otlp_receiver
from heap_exporter.export.otlp_data import Delivered, metrics_data, process_resource
from heap_exporter.export.otlp_provider import BorrowedInstruments, Read, lend_to_application
from heap_exporter.export.otlp_receiver import Receiver
from heap_exporter.runtime.log_capture import HUSH
from heap_exporter.runtime.logs import log

LAST_PUSH_SECONDS = 0.8
"""How long a stop waits for the last push; with a connection still being made it takes a second more."""


class Sender(Protocol):
    """Takes data to a receiver over one transport."""

    def send(self, data: MetricsData) -> bool:
        """Return whether the receiver took the data."""

    def close(self) -> None:
        """End what is under way and refuse what comes later. Any thread may call it."""


class Pusher:
    """Pushes what ``read`` gives at every interval, from the thread that calls :meth:`run`.

    As soon as the application has a MeterProvider of the SDK, that one collects our metrics and nothing is pushed here.
    ``on_push`` is called with ``"success"`` or ``"failure"`` after each push. All imports happen in the constructor: an
    import in a thread could be torn by a fork.
    """

    def __init__(self, receiver: Receiver, read: Read, on_push: Callable[[str], None]) -> None:
        self._receiver = receiver
        self._read = read
        self._on_push = on_push
        self._sender_class = _sender_class(receiver)
        self._sender: Sender | None = None
        self._resource = process_resource()
        self._delivered = Delivered(None, time.time_ns()) if receiver.delta else None
        self._works: bool | None = None
        self._interrupted = False
        self._over = threading.Event()
        self._loan: BorrowedInstruments | None = lend_to_application(read)

    def run(self, stop: threading.Event) -> None:
        """Push at every interval and a last time when ``stop`` is set, then let go of everything."""
        # Applications that trace their outgoing requests shall not find ours among them.
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        stopping = False
        while not stopping:
            stopping = stop.wait(self._receiver.interval_seconds)
            self._loan = self._loan or lend_to_application(self._read)
            if self._loan is None:
                self._push()
        if self._loan is not None:
            self._loan.end()
        self._interrupt()
        self._over.set()

    def stop(self) -> None:
        """Wait for :meth:`run`, whose event must be set, to send its last push; cut it short if it takes long."""
        if not self._over.wait(LAST_PUSH_SECONDS):
            self._interrupt()

    def _interrupt(self) -> None:
        """End the push under way and all later ones."""
        self._interrupted = True
        if self._sender is not None:
            with HUSH.listening(), suppress(Exception):
                self._sender.close()

    def _push(self) -> None:
        now_ns = time.time_ns()
        try:
            reading = self._read()
            if reading is None or self._interrupted:
                return
            with HUSH.listening() as messages:
                works = self._send(metrics_data(reading, self._resource, now_ns, self._delivered))
            reason = messages[0] if messages else "no reason was given"
        except Exception as error:
            works, reason = False, f"{type(error).__name__}: {error}"
        if works and self._delivered is not None:
            self._delivered = Delivered(reading, now_ns)
        self._on_push("success" if works else "failure")
        if not self._interrupted:
            self._tell(works, reason)

    def _send(self, data: MetricsData) -> bool:
        if self._sender is None:
            self._sender = self._sender_class(self._receiver)
        return not self._interrupted and self._sender.send(data)

    def _tell(self, works: bool, reason: str) -> None:
        """Log that pushing began to fail, or works again; once each time."""
        if not works and self._works is not False:
            log.warning(
                "cannot push metrics to %s (%s); trying again every %g s",
                self._receiver.name, reason, self._receiver.interval_seconds,
            )  # fmt: skip  # reads as one line
        elif works and self._works is False:
            log.info("metrics reach %s again", self._receiver.name)
        self._works = works


for _name in (
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
):
    logging.getLogger(_name).addFilter(HUSH)


def _sender_class(receiver: Receiver) -> Callable[[Receiver], Sender]:
    if receiver.protocol is otlp_receiver.Protocol.GRPC:
        from heap_exporter.export.otlp_grpc import GrpcSender

        return GrpcSender
    from heap_exporter.export.otlp_http import HttpSender

    return HttpSender
