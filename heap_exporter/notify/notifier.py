"""Sends an alert everywhere: to the log, OpenTelemetry, the webhook, and the listeners of the application."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from heap_exporter.model import LeakAlert, Member
from heap_exporter.notify.listeners import LeakListeners
from heap_exporter.runtime.background_queue import BackgroundQueue
from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.runtime.logs import log
from heap_exporter.settings import Settings

if TYPE_CHECKING:
    from heap_exporter.notify.payload import AlertDocument
    from heap_exporter.notify.webhook import Webhook


class Notifier:
    """Sends alerts. A receiver that fails or hangs does not delay another: each has a thread of its own.

    ``webhooks`` counts the posts by outcome; a notifier that replaces another one continues its ``counts``.
    """

    def __init__(self, settings: Settings, listeners: LeakListeners, counts: dict[str, int] | None = None) -> None:
        self.webhooks: dict[str, int] = {} if counts is None else counts
        self._listeners = listeners
        listeners.begin()
        self._events: BackgroundQueue[AlertDocument] = BackgroundQueue("event", _emit, _drop)
        self._webhook: Webhook | None = None
        if settings.alert_webhook_url:
            from heap_exporter.notify.webhook import OUTCOMES, Webhook

            self.webhooks.update({outcome: self.webhooks.get(outcome, 0) for outcome in OUTCOMES})
            self._webhook = Webhook(settings.alert_webhook_url, settings.alert_webhook_format, self._count)

    def send(self, alert: LeakAlert, member: Member | None = None) -> AlertDocument:
        """Send an alert of this process, which is ``member`` of a fleet, and return its document. Waits for nothing.

        It is written to the log now, and queued for the other receivers.
        """
        try:
            return self._send_document(alert, member)
        finally:
            self._listeners.send(alert)

    def resolve(self, document: AlertDocument, *, has_process_ended: bool) -> None:
        """Write to the log that the leak of an alert has ended, and queue that for the webhook. Waits for nothing."""
        with late_imports():
            from heap_exporter.notify.payload import resolved_document

        resolved = resolved_document(document, time.time(), has_process_ended=has_process_ended)
        log.info("%s; fingerprint %s", resolved["text"], resolved["fingerprint"])
        if self._webhook is not None:
            self._webhook.post(resolved)

    def _send_document(self, alert: LeakAlert, member: Member | None) -> AlertDocument:
        """Write an alert to the log, queue it for the webhook and OpenTelemetry, and return its document."""
        with late_imports():
            from heap_exporter.notify import otel_event  # most processes have no leak, and need no text of one
            from heap_exporter.notify.alert_log import log_alert
            from heap_exporter.notify.payload import alert_document

        document = alert_document(alert, member)
        log_alert(document)
        if self._webhook is not None:
            self._webhook.post(document)
        if otel_event.provider() is not None:
            self._events.post(document)
        return document

    @property
    def listeners(self) -> dict[str, int]:
        """Return the number of calls of alert listeners by outcome."""
        return self._listeners.outcomes

    def poll(self) -> None:
        """Count and log alert listeners that hang."""
        self._listeners.poll()

    def request_stop(self) -> None:
        """Send no more alerts after the one that is being sent."""
        self._listeners.request_stop()
        self._events.request_stop()
        if self._webhook is not None:
            self._webhook.request_stop()

    def stop(self, deadline: float) -> None:
        """Stop the threads that send alerts, except those that hang, by ``deadline`` (monotonic seconds)."""
        if self._webhook is not None:
            self._webhook.stop(deadline)
        self._events.stop(deadline)
        self._listeners.stop(deadline)

    def _count(self, outcome: str) -> None:
        """Count the outcome of posting an alert to the webhook."""
        self.webhooks[outcome] += 1


def _emit(document: AlertDocument) -> None:
    """Emit an alert as an OpenTelemetry event."""
    from heap_exporter.notify import otel_event

    otel_event.emit(document)


def _drop() -> None:
    """Log that the OpenTelemetry event of an alert was dropped."""
    log.warning(
        "a leak alert was not emitted as an OpenTelemetry event: earlier events are still "
        "being emitted, or the process is stopping"
    )
