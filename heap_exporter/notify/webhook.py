"""Posts leak alerts to a webhook: on a thread that is there while there is something to post, and never in the way.

Importing this imports requests. The secret of a webhook is often in the path of its address, so no log, metric or error
of ours has more of it than scheme, host and port.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import requests

from heap_exporter._version import VERSION
from heap_exporter.notify import formats
from heap_exporter.notify.payload import Document
from heap_exporter.runtime.background_queue import BackgroundQueue
from heap_exporter.runtime.cancellable_http import CancellableAdapter
from heap_exporter.runtime.log_capture import LOG_CAPTURE
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.threads import start_thread
from heap_exporter.runtime.tracing import untraced

OUTCOMES = ("sent", "failed", "dropped")
"""What can become of an alert: taken, given up, or not tried to the end for newer ones or because the process stops."""

WAITS_SECONDS = (1.0, 2.0, 4.0, 8.0)
"""Waits between tries; one more try than these is made."""

LONGEST_WAIT_SECONDS = 120.0
"""The longest wait that a hook can ask for."""

ANSWER_SECONDS = 10.0
"""How long one try may take altogether."""

CONNECT_SECONDS = 3.0
"""How long a connection may take; hooks are farther away than collectors."""

_LIBRARY_LOGGER = "urllib3.connectionpool"
logging.getLogger(_LIBRARY_LOGGER).addFilter(LOG_CAPTURE)  # it logs the path of every request, at DEBUG


class Try(NamedTuple):
    """What came of one try: ``problem`` is empty if the hook took the alert; ``wait_seconds`` is what it asked for."""

    problem: str
    is_final: bool = False
    wait_seconds: float = 0.0


class Webhook:
    """Posts to one address. ``on_outcome`` is called with one of :data:`OUTCOMES` for each alert, on any thread.

    It belongs to the process that made it: a forked child makes its own. Once stopped it drops what comes.
    """

    def __init__(self, url: str, format: str, on_outcome: Callable[[str], None]) -> None:
        self._url = url + ""  # a Secret's own text
        parts = urlsplit(self._url)
        self.name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._format = format
        self._on_outcome = on_outcome
        self._adapter: CancellableAdapter | None = None
        self._courier: BackgroundQueue[Document] = BackgroundQueue(
            "webhook", self._run, functools.partial(on_outcome, "dropped")
        )

    def post(self, document: Document) -> None:
        """Have an alert posted soon. Waits for nothing and never raises."""
        self._courier.post(document)

    def ask_to_stop(self) -> None:
        """Let the try under way be the last."""
        self._courier.ask_to_stop()

    def stop(self, deadline: float) -> None:
        """Wait for the try under way until ``deadline`` (monotonic seconds), then cut it short."""
        self._courier.stop(deadline)
        if (adapter := self._adapter) is not None:
            adapter.cancel()

    def _run(self, document: Document) -> None:
        try:
            outcome = self._deliver(document)
        except Exception:  # nobody above us in this thread
            log.exception("the leak alert could not be posted to %s", self.name)
            outcome = "failed"
        self._on_outcome(outcome)

    def _deliver(self, document: Document) -> str:
        """Post until the hook takes it, refuses it for good, or tries run out; return the outcome."""
        content = formats.body(document, self._format, self._url)
        for wait in (*WAITS_SECONDS, None):
            if self._courier.stopping.is_set():
                return "dropped"
            tried = self._try(content)
            if not tried.problem:
                return "sent"
            if wait is None or tried.is_final:
                break
            self._courier.stopping.wait(max(wait, tried.wait_seconds))
        log.warning("the leak alert could not be posted to %s: %s", self.name, tried.problem)
        return "failed"

    def _try(self, content: bytes) -> Try:
        adapter = self._adapter = CancellableAdapter(CONNECT_SECONDS)
        over = threading.Event()

        def bound() -> None:  # the timeout of a request begins anew with each byte that comes
            if not over.wait(ANSWER_SECONDS):
                adapter.cancel()

        start_thread("webhook-deadline", bound)
        try:
            with LOG_CAPTURE.capture(), untraced():
                return self._post(adapter, content)
        finally:
            over.set()

    def _post(self, adapter: CancellableAdapter, content: bytes) -> Try:
        headers = {"Content-Type": "application/json", "User-Agent": f"heap-exporter/{VERSION}"}
        with requests.Session() as session:
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            try:
                with session.post(
                    self._url, content, headers=headers, timeout=ANSWER_SECONDS, stream=True, allow_redirects=False
                ) as response:
                    return _judged(response)
            except requests.exceptions.InvalidURL:
                return Try("it redirects; set the address that it redirects to", is_final=True)
            except requests.RequestException as error:  # its text has the address
                return Try(f"{type(error).__name__}, tried {len(WAITS_SECONDS) + 1} times")


def _judged(response: requests.Response) -> Try:
    """Return what an answer means: 408, 429 and a fault of the hook's own may pass, any other refusal will not."""
    status = response.status_code
    if 200 <= status < 300:
        return Try("")
    passing = status in (408, 429) or status >= 500
    return Try(f"it answered {status}", not passing, _asked_wait(response.headers.get("Retry-After", "")))


def _asked_wait(text: str) -> float:
    """Return the seconds that ``Retry-After`` asks for (RFC 9110, 10.2.3): a number of them or a date; 0 if neither."""
    try:
        seconds = float(text) if text.strip().isdigit() else parsedate_to_datetime(text).timestamp() - time.time()
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)
