"""Pushes the metrics over OTLP, or reports them through the application's own MeterProvider.

A push is the newest :class:`~heap_exporter.model.Reading`, and what other processes have published, put into the SDK's
data classes and given to the SDK's exporter. A second MeterProvider would only add fork hooks, and threads in every
forked child.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from opentelemetry.sdk.metrics.export import MetricsData

from heap_exporter.export.otlp_data import Delivered, PushedProcess, metrics_data, pushed_process
from heap_exporter.export.otlp_provider import BorrowedInstruments, Read, borrow_from_application
from heap_exporter.export.otlp_receiver import OtlpReceiver
from heap_exporter.export.otlp_sender import LOGGERS, OtlpSender, import_exporter
from heap_exporter.runtime.log_capture import LOG_CAPTURE
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.tracing import untraced

LAST_PUSH_SECONDS = 0.8
"""How long a stop waits for the last push; a connection that is still being made takes a second more."""


class OtlpPusher:
    """Pushes what ``read`` returns over OTLP at every interval, from the thread that calls :meth:`run`.

    Once the application has a MeterProvider of the SDK, that provider collects the metrics and nothing is pushed here.
    ``others`` returns the other processes to push for, ``None`` while another process pushes for this one.
    ``on_push`` is called with ``"success"`` or ``"failure"`` after each push. All imports happen in the constructor,
    because a fork can interrupt an import in a thread. Raises ``ImportError``, and
    :class:`~heap_exporter.export.otel_internals.OpenTelemetryChanged` if the installed OpenTelemetry is unsuitable.
    """

    def __init__(
        self,
        receiver: OtlpReceiver,
        read: Read,
        on_push: Callable[[str], None],
        others: Callable[[], Sequence[PushedProcess] | None] = lambda: (),
    ) -> None:
        import_exporter(receiver.protocol)
        self._receiver = receiver
        self._read = read
        self._on_push = on_push
        self._others = others
        self._others_pushed_at = 0.0
        self._sender: OtlpSender | None = None
        self._delivered = Delivered({}, time.time_ns()) if receiver.delta else None
        self._works: bool | None = None
        self._interrupted = False
        self._over = threading.Event()
        self._borrowed: BorrowedInstruments | None = borrow_from_application(read)

    def run(self, stop: threading.Event) -> None:
        """Push metrics over OTLP at every interval and a last time when ``stop`` is set, then close the connection."""
        stopping = False
        while not stopping:
            stopping = stop.wait(self._receiver.interval_seconds)
            self._borrowed = self._borrowed or borrow_from_application(self._read)
            if self._borrowed is None:
                with untraced():
                    self._push()
        if self._borrowed is not None:
            self._borrowed.end()
        self._interrupt()
        self._over.set()

    @property
    def is_borrowed(self) -> bool:
        """Return whether the application's own MeterProvider reports the metrics of this process."""
        return self._borrowed is not None

    def stop(self) -> None:
        """Wait until :meth:`run`, whose event must be set, has sent the last OTLP push; end a push that takes long."""
        if not self._over.wait(LAST_PUSH_SECONDS):
            self._interrupt()

    def _interrupt(self) -> None:
        """End the OTLP push in progress, and prevent later ones."""
        self._interrupted = True
        if self._sender is not None:
            with LOG_CAPTURE.capture(), suppress(Exception):
                self._sender.close()

    def _push(self) -> None:
        now_ns = time.time_ns()
        try:
            processes = self._processes()
            if not processes or self._interrupted:
                return
            with LOG_CAPTURE.capture() as messages:
                works = self._send(metrics_data(processes, now_ns, self._since(processes)))
            reason = messages[0] if messages else "the OpenTelemetry SDK reported no reason"
        except Exception as error:
            works, reason = False, f"{type(error).__name__}: {error}"
        if works and self._delivered is not None:
            self._delivered = Delivered({each.member: each.values for each in processes}, now_ns)
        self._on_push("success" if works else "failure")
        if not self._interrupted:
            self._log_change(works, reason)

    def _processes(self) -> Sequence[PushedProcess]:
        """Return the processes to push for: this one, if it has a reading, and others; none while another pushes."""
        others, reading = self._others(), self._read()
        if others is None:
            self._others_pushed_at = time.time()
            return ()
        own = (pushed_process(reading, reading.member),) if reading is not None and reading.member is not None else ()
        return [*own, *others]

    def _since(self, processes: Sequence[PushedProcess]) -> Delivered | None:
        """Return from where counters are differences; what another process has pushed is not pushed again."""
        if self._delivered is None:
            return None
        by_others = {each.member: each.values for each in processes if each.started_at < self._others_pushed_at}
        return Delivered({**by_others, **self._delivered.values}, self._delivered.at_ns)

    def _send(self, data: MetricsData) -> bool:
        if self._sender is None:
            self._sender = OtlpSender(self._receiver)
        return not self._interrupted and self._sender.send(data)

    def _log_change(self, works: bool, reason: str) -> None:
        """Log once that the OTLP push began to fail, and once that it works again."""
        if not works and self._works is not False:
            log.warning(
                "cannot push metrics to %s (%s); heap-exporter will retry every %g s",
                self._receiver.name, reason, self._receiver.interval_seconds,
            )  # fmt: skip  # reads as one line
        elif works and self._works is False:
            log.info("metrics are being pushed to %s again", self._receiver.name)
        self._works = works


for _name in LOGGERS:
    logging.getLogger(_name).addFilter(LOG_CAPTURE)
