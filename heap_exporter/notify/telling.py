"""Tells of a leak in all ways there are: the log, OpenTelemetry, the webhook, the application's own listeners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heap_exporter.model import LeakAlert
from heap_exporter.notify import otlp_event
from heap_exporter.notify.document import alert_document
from heap_exporter.notify.listeners import LeakListeners
from heap_exporter.notify.record import log_alert
from heap_exporter.settings import Settings

if TYPE_CHECKING:
    from heap_exporter.notify.webhook import Webhook


class Telling:
    """Tells alerts. No way that fails hinders another; what may hang hangs on a thread of its own.

    ``webhooks`` counts posts by outcome.
    """

    def __init__(self, settings: Settings, listeners: LeakListeners) -> None:
        self.webhooks: dict[str, int] = {}
        self._listeners = listeners
        listeners.begin()
        self._webhook: Webhook | None = None
        if settings.alert_webhook_url:
            from heap_exporter.notify.webhook import OUTCOMES, Webhook

            self.webhooks = dict.fromkeys(OUTCOMES, 0)
            self._webhook = Webhook(settings.alert_webhook_url, settings.alert_webhook_format, self._count)

    def tell(self, alert: LeakAlert) -> None:
        """Tell an alert: the webhook and the listeners hear of it on threads of their own, the others now."""
        document = alert_document(alert)
        log_alert(document)
        if self._webhook is not None:
            self._webhook.post(document)
        otlp_event.emit(document)
        self._listeners.tell(alert)

    def tend(self) -> None:
        """Take notice of listeners that hang."""
        self._listeners.tend()

    def ask_to_stop(self) -> None:
        """Let the post and the calls under way be the last."""
        self._listeners.ask_to_stop()
        if self._webhook is not None:
            self._webhook.ask_to_stop()

    def stop(self, deadline: float) -> None:
        """End the threads of the webhook and of listeners that return, by ``deadline`` (monotonic seconds)."""
        if self._webhook is not None:
            self._webhook.stop(deadline)
        self._listeners.stop(deadline)

    def _count(self, outcome: str) -> None:
        self.webhooks[outcome] += 1
