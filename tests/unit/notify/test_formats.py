"""What is posted in each format."""

from __future__ import annotations

import json
import re
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heap_exporter.notify import formats
from heap_exporter.notify.payload import alert_document, resolved_document
from tests.examples.alerts import JUDGED_AT, bare_alert, full_alert
from tests.examples.readings import MEMBER


def slack_texts(message: dict[str, object]) -> list[str]:
    """Return every text that Slack renders."""
    return re.findall(r'"text": ("(?:[^"\\]|\\.)*")', json.dumps(message))


def test_a_slack_message_has_a_sentence_and_fields() -> None:
    message = formats.slack(alert_document(full_alert(), MEMBER))
    shown = "\n".join(json.loads(text) for text in slack_texts(message))

    assert message["text"].startswith("memory leak confirmed in shop (worker 3, process ")
    assert "*Worker*\n3 of shop" in shown
    assert "*Held by*\nshop.sessions.SESSIONS" in shown
    assert "*Growth*\n+240 MiB/h" in shown
    assert "*Limit reached in*\n90 min" in shown
    assert "give the mapping a limit" in shown


@given(st.text(st.sampled_from("<>&!@#*_~`|a \n"), max_size=400))
def test_no_name_becomes_a_link_or_a_mention_in_slack(name: str) -> None:
    message = formats.slack(alert_document(full_alert(name or "x")))

    for text in map(json.loads, slack_texts(message)):
        assert "<" not in text
        assert ">" not in text
        assert all(entity in ("&amp;", "&lt;", "&gt;") for entity in re.findall(r"&[^;]{0,4};?", text))


@given(st.text(st.sampled_from("<&x"), min_size=1, max_size=9000))
def test_a_slack_message_stays_within_the_limits(name: str) -> None:
    message = formats.slack(alert_document(full_alert(name)))

    assert len(message["text"]) <= 3000
    assert len(message["blocks"]) <= 50
    for block in message["blocks"]:
        assert len(block.get("fields", ())) <= 10
        assert all(1 <= len(field["text"]) <= 2000 for field in block.get("fields", ()))
        assert 1 <= len(block.get("text", {"text": "x"})["text"]) <= 3000


def test_a_webhook_receiver_of_alertmanager_gets_its_own_format() -> None:
    payload = formats.webhook_payload(alert_document(full_alert(), MEMBER))
    (alert,) = payload["alerts"]

    assert (payload["version"], payload["status"], alert["status"]) == ("4", "firing", "firing")
    assert alert["labels"]["alertname"] == "PythonHeapLeak"
    assert (alert["labels"]["service"], alert["labels"]["worker"]) == ("shop", "3")
    assert alert["labels"]["cause"] == "python-objects"
    assert alert["annotations"]["summary"].startswith("memory leak confirmed in shop")
    assert datetime.fromisoformat(alert["startsAt"]).timestamp() == JUDGED_AT


def test_an_alert_that_has_ended_is_resolved_in_every_format() -> None:
    firing = alert_document(full_alert(), MEMBER)
    resolved = resolved_document(firing, JUDGED_AT + 60, has_process_ended=True)
    posted, message = formats.webhook_payload(resolved), formats.slack(resolved)
    (alert,) = posted["alerts"]
    api = formats.api_alert(resolved)

    assert (posted["status"], alert["status"]) == ("resolved", "resolved")
    assert alert["labels"] == api["labels"] == formats.api_alert(firing)["labels"]
    assert datetime.fromisoformat(alert["endsAt"]).timestamp() == JUDGED_AT + 60
    assert (api["startsAt"], api["endsAt"]) == (formats.api_alert(firing)["startsAt"], alert["endsAt"])
    assert message["text"].startswith("memory leak ended in shop (worker 3, process ")
    assert message["text"].endswith(": the process has ended")
    assert firing["fingerprint"] in json.dumps(message)
    assert list(resolved) == list(firing)


def test_an_alert_of_a_process_whose_clock_is_past_the_year_9999_can_be_posted() -> None:
    posted = formats.api_alert({**alert_document(full_alert()), "judged_at": 3e11})

    assert (posted["startsAt"], posted["endsAt"]) == ("9999-12-31T23:59:59.000Z", "9999-12-31T23:59:59.000Z")


@pytest.mark.parametrize("alert", [full_alert(), bare_alert()])
def test_labels_and_annotations_are_strings_and_no_label_has_a_number(alert: object) -> None:
    posted = formats.api_alert(alert_document(alert))  # type: ignore[arg-type]  # one of two

    assert all(isinstance(value, str) and value for value in {**posted["labels"], **posted["annotations"]}.values())
    assert {*posted["labels"]} <= {
        "alertname", "severity", "service", "worker", "instance", "state", "cause", "type_name", "fingerprint",
    }  # fmt: skip  # one reading


def test_the_api_of_alertmanager_gets_a_list_and_other_addresses_a_webhook_payload() -> None:
    document = alert_document(full_alert())

    to_itself = json.loads(formats.body(document, "alertmanager", "http://am:9093/prefix/api/v2/alerts?x=1"))
    to_another = json.loads(formats.body(document, "alertmanager", "http://hook/alerts"))

    assert isinstance(to_itself, list)
    assert to_another["version"] == "4"


def test_a_name_that_is_not_valid_unicode_can_be_posted() -> None:
    document = alert_document(full_alert("shop.\udcff"))

    assert json.loads(formats.body(document, "json", "http://hook"))["type_name"] == "shop.\udcff"
