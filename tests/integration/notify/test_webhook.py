"""Alerts posted to webhooks that accept them, refuse them, hang, send byte by byte, or send garbage."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from email.utils import formatdate

import pytest

from heap_exporter.notify import webhook
from heap_exporter.notify.payload import alert_document
from heap_exporter.notify.webhook import LONGEST_WAIT_SECONDS, WAITS_SECONDS, Webhook
from heap_exporter.runtime.background_queue import MAX_WAITING
from heap_exporter.runtime.redaction import Secret
from tests.doubles.malicious_servers import FLOODS, TRICKLES, endless_server, little_memory
from tests.doubles.otlp_receivers import closed_port, silent_receiver, wait_until
from tests.doubles.webhooks import trickling_webhook, webhook_server
from tests.examples.alerts import full_alert

DOCUMENT = alert_document(full_alert())
Make = Callable[..., Webhook]


class Outcomes(Counter[str]):
    """Counts outcomes, on any thread."""

    def add(self, outcome: str) -> None:
        self[outcome] += 1


@pytest.fixture
def outcomes() -> Outcomes:
    return Outcomes()


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the waits between attempts."""
    monkeypatch.setattr(webhook, "WAITS_SECONDS", (0.0,) * len(WAITS_SECONDS))


@pytest.fixture
def short_deadline(no_waits: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the time limit of an attempt, too."""
    monkeypatch.setattr(webhook, "ANSWER_SECONDS", 0.2)


@pytest.fixture
def make(outcomes: Outcomes) -> Iterator[Make]:
    """Make webhooks, stop them, and check that none of their threads is left."""
    made: list[Webhook] = []

    def make_webhook(url: str, format: str = "json") -> Webhook:
        made.append(Webhook(Secret(url), format, outcomes.add))
        return made[-1]

    yield make_webhook
    for each in made:
        each.stop(time.monotonic())
    wait_until(lambda: not [thread for thread in threading.enumerate() if "webhook" in thread.name])


def test_an_alert_arrives_as_the_document(make: Make, outcomes: Outcomes) -> None:
    with webhook_server() as received:
        make(received.url).post(DOCUMENT)
        assert received.next() == DOCUMENT
        wait_until(lambda: outcomes == {"sent": 1})


def test_a_post_has_a_content_type_and_a_user_agent(make: Make) -> None:
    with webhook_server() as received:
        make(received.url).post(DOCUMENT)
        _, headers, _ = received.requests.get(timeout=20)

    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("heap-exporter/")


@pytest.mark.parametrize("format", ["slack", "alertmanager"])
def test_an_alert_has_the_format_that_is_set(make: Make, format: str) -> None:
    with webhook_server() as received:
        make(received.url, format).post(DOCUMENT)
        assert ("blocks" if format == "slack" else "alerts") in received.next()


def test_the_thread_ends_after_a_post_and_starts_again_for_the_next(make: Make, outcomes: Outcomes) -> None:
    with webhook_server() as received:
        posting = make(received.url)
        for number in (1, 2):
            posting.post(DOCUMENT)
            received.next()
            wait_until(lambda number=number: outcomes["sent"] == number)  # type: ignore[misc]  # bound at once
            wait_until(lambda: not [thread for thread in threading.enumerate() if "webhook" in thread.name])


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_temporary_failure_is_tried_again(make: Make, outcomes: Outcomes, status: int) -> None:
    with webhook_server(status, status, 200) as received:
        make(received.url).post(DOCUMENT)
        wait_until(lambda: outcomes == {"sent": 1})
        assert received.requests.qsize() == 3


@pytest.mark.usefixtures("no_waits")
def test_a_lasting_failure_is_logged_once_after_the_last_attempt(
    make: Make, outcomes: Outcomes, caplog: pytest.LogCaptureFixture
) -> None:
    with webhook_server(500) as received:
        make(received.url).post(DOCUMENT)
        wait_until(lambda: outcomes == {"failed": 1})
        assert received.requests.qsize() == len(WAITS_SECONDS) + 1

    assert [record.getMessage() for record in caplog.records if record.name == "heap_exporter"] == [
        f"the leak alert could not be posted to {received.url.removesuffix('/hook')}: the webhook answered 500"
    ]


def test_an_accepted_alert_is_logged_with_time_address_and_fingerprint(
    make: Make, outcomes: Outcomes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "heap_exporter"), webhook_server() as received:
        make(received.url).post(DOCUMENT)
        wait_until(lambda: outcomes == {"sent": 1})

    (record,) = [record for record in caplog.records if record.name == "heap_exporter"]
    address, fingerprint = received.url.removesuffix("/hook"), DOCUMENT["fingerprint"]
    assert re.fullmatch(
        rf"a leak alert with the fingerprint {fingerprint} was sent to {address} at \d\d:\d\d:\d\d UTC",
        record.getMessage(),
    )


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_a_final_refusal_is_not_tried_again(make: Make, outcomes: Outcomes, status: int) -> None:
    with webhook_server(status) as received:
        make(received.url).post(DOCUMENT)
        wait_until(lambda: outcomes == {"failed": 1})
        assert received.requests.qsize() == 1


def test_a_redirect_is_logged_and_not_followed(
    make: Make, outcomes: Outcomes, caplog: pytest.LogCaptureFixture
) -> None:
    with webhook_server(200) as elsewhere, webhook_server(307, headers={"Location": elsewhere.url}) as received:
        make(received.url).post(DOCUMENT)
        wait_until(lambda: outcomes == {"failed": 1})
        assert (received.requests.qsize(), elsewhere.requests.qsize()) == (1, 0)

    assert (
        "the webhook redirects to another address; set HEAP_EXPORTER_ALERT_WEBHOOK_URL to that address" in caplog.text
    )


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("7", 7, 7),
        (60, 30, 61),
        ("86400", LONGEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS),
        (-60, 0, 0),
        ("-5", 0, 0), ("soon", 0, 0), ("", 0, 0), ("9" * 500, LONGEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS),
    ],
)  # fmt: skip  # a table
def test_retry_after_is_seconds_or_a_date_and_bounded(text: str | int, least: float, most: float) -> None:
    header = text if isinstance(text, str) else formatdate(time.time() + text, usegmt=True)

    assert least <= webhook._retry_after_seconds(header) <= most


@pytest.mark.usefixtures("no_waits")
def test_retry_after_is_waited_for(make: Make, outcomes: Outcomes) -> None:
    with webhook_server(429, 200, headers={"Retry-After": "1"}) as received:
        begun = time.monotonic()
        make(received.url).post(DOCUMENT)
        received.next()
        received.next()

        assert time.monotonic() - begun >= 1.0
        wait_until(lambda: outcomes == {"sent": 1})


@pytest.mark.usefixtures("no_waits")
def test_a_closed_port_is_a_failure(make: Make, outcomes: Outcomes) -> None:
    with closed_port() as url:
        make(url).post(DOCUMENT)
        wait_until(lambda: outcomes == {"failed": 1})


@pytest.mark.usefixtures("short_deadline")
def test_a_webhook_that_never_answers_is_a_failure(make: Make, outcomes: Outcomes) -> None:
    with silent_receiver() as (url, _):
        make(url).post(DOCUMENT)
        wait_until(lambda: outcomes == {"failed": 1})


@pytest.mark.usefixtures("short_deadline")
@pytest.mark.parametrize("text", [b"HTTP/1.1 200 OK\r\nX-More: and more\r\nX-", b"garbage", b"\x00\xff"])
def test_a_webhook_that_sends_byte_by_byte_or_garbage_is_a_failure(make: Make, outcomes: Outcomes, text: bytes) -> None:
    with trickling_webhook(text) as (url, _):
        make(url).post(DOCUMENT)
        wait_until(lambda: outcomes == {"failed": 1})


@pytest.mark.usefixtures("short_deadline")
@pytest.mark.parametrize("name", ["headers without end", "interim answers without end", "interim answers that trickle"])
def test_a_webhook_that_sends_without_end_is_a_failure_and_uses_little_memory(
    make: Make, outcomes: Outcomes, name: str
) -> None:
    with endless_server(*(FLOODS | TRICKLES)[name]) as url, little_memory():
        make(url).post(DOCUMENT)
        wait_until(lambda: outcomes == {"failed": 1})


@pytest.mark.parametrize("name", ["a body without end", "a body that trickles"])
def test_the_body_of_a_webhook_s_answer_is_not_read(make: Make, outcomes: Outcomes, name: str) -> None:
    with endless_server(*(FLOODS | TRICKLES)[name], pause_seconds=0.01) as url, little_memory():
        make(url).post(DOCUMENT)
        wait_until(lambda: outcomes == {"sent": 1})


def test_a_post_waits_for_nothing_and_the_newest_alerts_are_kept(make: Make, outcomes: Outcomes) -> None:
    with silent_receiver() as (url, came):
        posting = make(url)
        posting.post(DOCUMENT)
        assert came.wait(20)
        for number in range(MAX_WAITING + 5):
            posting.post({**DOCUMENT, "pid": number})

        assert outcomes == {"dropped": 5}
        assert [document["pid"] for document in posting._queue._waiting] == list(range(5, MAX_WAITING + 5))


@pytest.mark.parametrize("trickles", [False, True])
def test_a_stop_cancels_a_post_that_hangs_and_drops_alerts_that_wait(
    make: Make, outcomes: Outcomes, trickles: bool
) -> None:
    with trickling_webhook(b"HTTP/1.1 200 OK\r\nX-") if trickles else silent_receiver() as (url, came):
        posting = make(url)
        for _ in range(3):
            posting.post(DOCUMENT)
        assert came.wait(20)
        posting.stop(time.monotonic() + 0.2)

        wait_until(lambda: outcomes == {"dropped": 3})
        posting.post(DOCUMENT)
        assert outcomes == {"dropped": 4}


def test_a_stop_ends_the_wait_for_the_next_attempt(make: Make, outcomes: Outcomes) -> None:
    with webhook_server(503, headers={"Retry-After": "100"}) as received:
        posting = make(received.url)
        posting.post(DOCUMENT)
        received.next()
        posting.stop(time.monotonic() + 10)

        wait_until(lambda: outcomes == {"dropped": 1})


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("status", [200, 404, 500, 307, 0])
def test_no_log_has_the_secret(make: Make, caplog: pytest.LogCaptureFixture, status: int) -> None:
    caplog.set_level(logging.DEBUG)
    outcomes = Outcomes()
    with webhook_server(status or 200, headers={"Location": "/T0K3N"}) as received, closed_port() as closed:
        address = (received.url if status else closed).replace("http://", "http://user:hunter2@").removesuffix("/hook")
        posting = Webhook(Secret(f"{address}/services/T0K3N?key=k3y"), "json", outcomes.add)
        posting.post(DOCUMENT)
        wait_until(lambda: sum(outcomes.values()) == 1)
        if status:
            path, headers, _ = received.requests.get(timeout=20)
            assert path == "/services/T0K3N?key=k3y"
            assert headers["Authorization"].startswith("Basic ")
        posting.stop(time.monotonic())

    for secret in ("T0K3N", "hunter2", "k3y"):
        assert secret not in caplog.text


def test_the_requests_of_the_application_are_still_logged(caplog: pytest.LogCaptureFixture) -> None:
    import requests

    caplog.set_level(logging.DEBUG, "urllib3.connectionpool")
    with webhook_server() as received:
        requests.post(received.url, json={}, timeout=20)

    assert "POST /hook" in caplog.text
