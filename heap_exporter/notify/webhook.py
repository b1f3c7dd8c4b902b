"""Posts leak alerts to a webhook, on a thread that runs while there is something to post.

Importing this imports requests. The secret of a webhook is often in the path of its address, so logs, metrics and
errors have only its scheme, host and port.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import requests

from heap_exporter._version import VERSION
from heap_exporter.notify import formats
from heap_exporter.notify.payload import AlertDocument
from heap_exporter.runtime.background_queue import BackgroundQueue
from heap_exporter.runtime.formatting import clock
from heap_exporter.runtime.limited_http import LimitedAdapter
from heap_exporter.runtime.log_capture import LOG_CAPTURE
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.tracing import untraced

OUTCOMES = ("sent", "failed", "dropped")
"""Outcomes of an alert: accepted, failed, or dropped for newer alerts or because the process stops."""

WAITS_SECONDS = (1.0, 2.0, 4.0, 8.0)
"""Waits between attempts; there is one attempt more."""

LONGEST_WAIT_SECONDS = 120.0
"""The longest wait that ``Retry-After`` can set."""

ANSWER_SECONDS = 10.0
"""Time limit of one attempt."""

CONNECT_SECONDS = 3.0
"""Time limit of a connection; webhooks are farther away than collectors."""

_LIBRARY_LOGGER = "urllib3.connectionpool"
logging.getLogger(_LIBRARY_LOGGER).addFilter(LOG_CAPTURE)  # it logs the path of every request, at DEBUG


class Attempt(NamedTuple):
    """The result of one attempt: ``problem`` is empty if it was accepted, ``wait_seconds`` is ``Retry-After``."""

    problem: str
    is_final: bool = False
    wait_seconds: float = 0.0


class Webhook:
    """Posts to one address. ``on_outcome`` is called with one of :data:`OUTCOMES` for each alert, on any thread.

    It belongs to the process that made it: a forked child makes its own. After a stop it drops all alerts.
    """

    def __init__(self, url: str, format: str, on_outcome: Callable[[str], None]) -> None:
        self._url = url + ""  # the text of the Secret
        parts = urlsplit(self._url)
        self.name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._format = format
        self._on_outcome = on_outcome
        self._adapter: LimitedAdapter | None = None
        self._queue: BackgroundQueue[AlertDocument] = BackgroundQueue(
            "webhook", self._run, functools.partial(on_outcome, "dropped")
        )

    def post(self, document: AlertDocument) -> None:
        """Queue an alert. Waits for nothing and never raises."""
        self._queue.post(document)

    def request_stop(self) -> None:
        """Make no further attempt to post alerts after the one under way."""
        self._queue.request_stop()

    def stop(self, deadline: float) -> None:
        """Wait for the post of an alert under way until ``deadline`` (monotonic seconds), then cancel it."""
        self._queue.stop(deadline)
        if (adapter := self._adapter) is not None:
            adapter.cancel()

    def _run(self, document: AlertDocument) -> None:
        """Post one alert to the webhook and report the outcome; the work of the background queue."""
        try:
            outcome = self._deliver(document)
        except Exception:  # it would end the thread and lose the alerts that wait
            log.exception("the leak alert could not be posted to %s", self.name)
            outcome = "failed"
        self._on_outcome(outcome)

    def _deliver(self, document: AlertDocument) -> str:
        """Post until the webhook accepts or refuses the alert, or all attempts are made; return the outcome."""
        content = formats.body(document, self._format, self._url)
        for wait in (*WAITS_SECONDS, None):
            if self._queue.stopping.is_set():
                return "dropped"
            attempt = self._attempt(content)
            if not attempt.problem:
                log.info(
                    "a leak alert with the fingerprint %s was sent to %s at %s",
                    document["fingerprint"], self.name, clock(time.time()),
                )  # fmt: skip  # format and arguments together
                return "sent"
            if wait is None or attempt.is_final:
                break
            self._queue.stopping.wait(max(wait, attempt.wait_seconds))
        log.warning("the leak alert could not be posted to %s: %s", self.name, attempt.problem)
        return "failed"

    def _attempt(self, content: bytes) -> Attempt:
        """Post an alert to the webhook once, within the time limit."""
        adapter = self._adapter = LimitedAdapter(CONNECT_SECONDS)
        with LOG_CAPTURE.capture(), untraced():
            return self._post(adapter, content)

    def _post(self, adapter: LimitedAdapter, content: bytes) -> Attempt:
        """Send the alert to the webhook, and return the result."""
        headers = {"Content-Type": "application/json", "User-Agent": f"heap-exporter/{VERSION}"}
        with requests.Session() as session:
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            try:
                with session.post(
                    self._url, content, headers=headers, timeout=ANSWER_SECONDS, stream=True, allow_redirects=False
                ) as response:
                    return _result(response)
            except requests.exceptions.InvalidURL:
                return Attempt(
                    "the webhook redirects to another address; set HEAP_EXPORTER_ALERT_WEBHOOK_URL to that address",
                    is_final=True,
                )
            except requests.RequestException as error:  # its text has the address
                return Attempt(f"{len(WAITS_SECONDS) + 1} attempts failed, the last one with {type(error).__name__}")


def _result(response: requests.Response) -> Attempt:
    """Return the result of a webhook's response: after 408, 429 and server errors the alert is posted again."""
    status = response.status_code
    if 200 <= status < 300:
        return Attempt("")
    is_temporary = status in (408, 429) or status >= 500
    return Attempt(
        f"the webhook answered {status}",
        not is_temporary,
        _retry_after_seconds(response.headers.get("Retry-After", "")),
    )


def _retry_after_seconds(text: str) -> float:
    """Return the wait that the ``Retry-After`` of a webhook's answer to an alert sets (RFC 9110, 10.2.3), 0 if none."""
    try:
        seconds = float(text) if text.strip().isdigit() else parsedate_to_datetime(text).timestamp() - time.time()
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)
