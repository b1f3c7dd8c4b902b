"""What is posted to a webhook: the alert's document itself, a Slack message, or what Alertmanager posts and takes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from heap_exporter.notify.payload import Document
from heap_exporter.runtime.formatting import duration, rate, size

ALERT_NAME = "PythonHeapLeak"
ALERTMANAGER_API = "/api/v2/alerts"

FIRING = timedelta(hours=1)
"""How long Alertmanager holds the alert for firing; nobody tells it that a leak is over but a restart."""

NEVER = "0001-01-01T00:00:00Z"
"""What Alertmanager writes for the end of an alert that fires."""

SLACK_TEXT, SLACK_FIELD = 2900, 1900
"""Characters of a text and of a field, of the 3,000 and 2,000 that Slack takes."""

_SLACK_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def body(document: Document, format: str, url: str) -> bytes:
    """Return what to post to ``url``: ASCII JSON of ``json``, ``slack`` or ``alertmanager``."""
    if format == "slack":
        shaped: Any = slack(document)
    elif format == "alertmanager":
        shaped = [posted(document)] if urlsplit(url).path.endswith(ALERTMANAGER_API) else received(document)
    else:
        shaped = document
    return json.dumps(shaped).encode("ascii")


def slack(document: Document) -> dict[str, Any]:
    """Return a message for an incoming webhook of Slack: a sentence, and blocks with the figures.

    Limits and escaping: https://docs.slack.dev/reference/block-kit/blocks and
    https://docs.slack.dev/messaging/formatting-message-text.
    """
    text = _slack_text(document["text"], SLACK_TEXT)
    blocks: list[dict[str, Any]] = [_section(text)]
    if fields := _facts(document):
        written = [_mrkdwn(f"*{name}*\n{_slack_text(value, SLACK_FIELD)}") for name, value in fields.items()]
        blocks.append({"type": "section", "fields": written})
    if document["advice"]:
        blocks.append(_section(_slack_text(document["advice"], SLACK_TEXT)))
    return {"text": text, "blocks": blocks}


def received(document: Document) -> dict[str, Any]:
    """Return what a receiver of Alertmanager's webhooks expects: version 4 of its payload, with one alert that fires.

    https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
    """
    labels, annotations = _labels(document), _annotations(document)
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": annotations,
        "startsAt": _time(document["judged_at"]),
        "endsAt": NEVER,
        "generatorURL": "",
        "fingerprint": document["fingerprint"],
    }
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{ALERT_NAME}"}}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "heap-exporter",
        "groupLabels": {"alertname": ALERT_NAME},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [alert],
    }


def posted(document: Document) -> dict[str, Any]:
    """Return one alert as Alertmanager's own API takes it, firing for an hour.

    https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml (postableAlert)
    """
    begins = document["judged_at"]
    return {
        "labels": _labels(document),
        "annotations": _annotations(document),
        "startsAt": _time(begins),
        "endsAt": _time(begins + FIRING.total_seconds()),
    }


def _labels(document: Document) -> dict[str, str]:
    """Return what tells one alert from another: the leak and the process, no figures."""
    labels = {
        "alertname": ALERT_NAME,
        "severity": "warning",
        "service": document["service"],
        "instance": f"{document['host']}:{document['pid']}",
        "state": document["state"],
        "cause": document["cause"],
        "type_name": document["type_name"],
        "fingerprint": document["fingerprint"],
    }
    return {name: value for name, value in labels.items() if value}


def _annotations(document: Document) -> dict[str, str]:
    texts = {
        "summary": document["text"],
        "description": "; ".join(document["reasons"]),
        "holder": document["holder"],
        "advice": document["advice"],
        "snapshots": ", ".join(snapshot["path"] for snapshot in document["snapshots"]),
    }
    return {name: value for name, value in texts.items() if value}


def _facts(document: Document) -> dict[str, str]:
    """Return at most ten facts to be read at a glance, by name; those that are not known are left out."""
    grown, slope, left = document["growth_bytes"], document["slope_bytes_per_second"], document["seconds_to_limit"]
    facts = {
        "Type": document["type_name"],
        "Held by": document["holder"],
        "Gained": grown and size(grown),
        "Growth": slope and rate(slope),
        "At the limit in": left and duration(left),
        "Cause": document["cause"],
        "Process": f"{document['pid']} on {document['host']}",
        "Snapshots": "\n".join(snapshot["id"] for snapshot in document["snapshots"]),
        "Fingerprint": document["fingerprint"],
    }
    return {name: value for name, value in facts.items() if value}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _slack_text(text: str, most: int) -> str:
    """Return a text in which nothing is a link, a mention or a channel, cut to ``most`` characters once escaped."""
    pieces: list[str] = []
    left = most - 1
    for sign in text:
        piece = _SLACK_ESCAPES.get(sign, sign)
        if len(piece) > left:
            return "".join([*pieces, "…"])
        pieces.append(piece)
        left -= len(piece)
    return "".join(pieces)


def _time(unix_seconds: float) -> str:
    return datetime.fromtimestamp(unix_seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
