"""The formats of a webhook: the document of the alert, a Slack message, or the formats of Alertmanager."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from heap_exporter.notify.payload import RESOLVED, AlertDocument
from heap_exporter.runtime.formatting import duration, in_calendar, rate, size

ALERT_NAME = "PythonHeapLeak"
ALERTMANAGER_API = "/api/v2/alerts"

FIRING = timedelta(hours=1)
"""How long the alert fires in Alertmanager if no process reports its end."""

NEVER = "0001-01-01T00:00:00Z"
"""The end of a firing alert, as Alertmanager writes it."""

SLACK_TEXT, SLACK_FIELD = 2900, 1900
"""Characters of a text and of a field; the limits of Slack are 3,000 and 2,000."""

_SLACK_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def body(document: AlertDocument, format: str, url: str) -> bytes:
    """Return the alert as the body of a post to the webhook ``url``: ASCII JSON of a webhook format."""
    if format == "slack":
        shaped: Any = slack(document)
    elif format == "alertmanager":
        shaped = [api_alert(document)] if urlsplit(url).path.endswith(ALERTMANAGER_API) else webhook_payload(document)
    else:
        shaped = document
    return json.dumps(shaped).encode("ascii")


def slack(document: AlertDocument) -> dict[str, Any]:
    """Return a message for an incoming webhook of Slack: a sentence, and blocks with the values.

    Limits and escaping: https://docs.slack.dev/reference/block-kit/blocks and
    https://docs.slack.dev/messaging/formatting-message-text.
    """
    text = _slack_text(document["text"], SLACK_TEXT)
    blocks: list[dict[str, Any]] = [_section(text)]
    if document["status"] == RESOLVED:
        return {"text": text, "blocks": [*blocks, _section(f"*Fingerprint*\n{document['fingerprint']}")]}
    if fields := _slack_fields(document):
        written = [_mrkdwn(f"*{name}*\n{_slack_text(value, SLACK_FIELD)}") for name, value in fields.items()]
        blocks.append({"type": "section", "fields": written})
    if document["advice"]:
        blocks.append(_section(_slack_text(document["advice"], SLACK_TEXT)))
    return {"text": text, "blocks": blocks}


def webhook_payload(document: AlertDocument) -> dict[str, Any]:
    """Return what a webhook receiver of Alertmanager expects: version 4 of its payload, with one alert.

    https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
    """
    labels, annotations = _labels(document), _annotations(document)
    status, ended_at = document["status"], document["ended_at"]
    alert = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": _time(document["judged_at"]),
        "endsAt": NEVER if ended_at is None else _time(ended_at),
        "generatorURL": "",
        "fingerprint": document["fingerprint"],
    }
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{ALERT_NAME}"}}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "heap-exporter",
        "groupLabels": {"alertname": ALERT_NAME},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [alert],
    }


def api_alert(document: AlertDocument) -> dict[str, Any]:
    """Return one alert as the API of Alertmanager accepts it, firing for an hour unless it has ended.

    https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml (postableAlert)
    """
    begins, ended_at = document["judged_at"], document["ended_at"]
    return {
        "labels": _labels(document),
        "annotations": _annotations(document),
        "startsAt": _time(begins),
        "endsAt": _time(begins + FIRING.total_seconds() if ended_at is None else ended_at),
    }


def _labels(document: AlertDocument) -> dict[str, str]:
    """Return the labels that identify the alert for Alertmanager: the leak and the process, no numbers."""
    labels = {
        "alertname": ALERT_NAME,
        "severity": "warning",
        "service": document["service"],
        "worker": document["worker"],
        "instance": f"{document['host']}:{document['pid']}",
        "state": document["state"],
        "cause": document["cause"],
        "type_name": document["type_name"],
        "fingerprint": document["fingerprint"],
    }
    return {name: value for name, value in labels.items() if value}


def _annotations(document: AlertDocument) -> dict[str, str]:
    """Return the annotations of the alert for Alertmanager: its sentences."""
    texts = {
        "summary": document["text"],
        "description": "; ".join(document["reasons"]),
        "holder": document["holder"],
        "advice": document["advice"],
        "snapshots": ", ".join(snapshot["path"] for snapshot in document["snapshots"]),
    }
    return {name: value for name, value in texts.items() if value}


def _slack_fields(document: AlertDocument) -> dict[str, str]:
    """Return the fields of an alert in Slack by name, at most ten; unknown ones are left out."""
    grown, slope, left = document["growth_bytes"], document["slope_bytes_per_second"], document["seconds_to_limit"]
    fields = {
        "Type": document["type_name"],
        "Held by": document["holder"],
        "Gained": grown and size(grown),
        "Growth": slope and rate(slope),
        "Limit reached in": left and duration(left),
        "Cause": document["cause"],
        "Worker": document["worker"] and f"{document['worker']} of {document['service']}",
        "Process": f"{document['pid']} on {document['host']}",
        "Snapshots": "\n".join(snapshot["id"] for snapshot in document["snapshots"]),
        "Fingerprint": document["fingerprint"],
    }
    return {name: value for name, value in fields.items() if value}


def _section(text: str) -> dict[str, Any]:
    """Return a text block of an alert in Slack."""
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, Any]:
    """Return a text object of an alert in Slack, without automatic links."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _slack_text(text: str, max_chars: int) -> str:
    """Return a text for Slack without links, mentions and channels, escaped and at most ``max_chars`` long."""
    pieces: list[str] = []
    left = max_chars - 1
    for sign in text:
        piece = _SLACK_ESCAPES.get(sign, sign)
        if len(piece) > left:
            return "".join([*pieces, "…"])
        pieces.append(piece)
        left -= len(piece)
    return "".join(pieces)


def _time(unix_seconds: float) -> str:
    """Return a time of an alert as Alertmanager writes it: RFC 3339 in UTC."""
    moment = datetime.fromtimestamp(in_calendar(unix_seconds), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
