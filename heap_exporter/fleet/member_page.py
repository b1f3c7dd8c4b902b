"""What a member publishes of itself: the values of its metrics, and its verdict in short.

A page is a file of JSON that another process reads: it is data, and what is not of the right type is an error. It holds
no names of metrics or labels that this release does not know, and no help texts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import repeat
from typing import Any

from heap_exporter.metrics import LabelledValue
from heap_exporter.model import Cause, LeakAlert, MemoryKind, Reading, State, Verdict
from heap_exporter.runtime.json_input import parse_json

FORMAT = 1

MAX_PAGE_BYTES = 1 << 20
"""A larger page is not read."""

MAX_TEXT_CHARS = 1000
"""Characters of a label value or another text; a longer one is an error."""


@dataclass(frozen=True, slots=True)
class VerdictInShort:
    """What the fleet needs of a member's verdict; ``fingerprint`` is that of the alert that it has sent for the leak.

    ``type_name`` is the type whose objects grow most, if any do.
    """

    state: State = State.WARMING_UP
    cause: Cause | None = None
    slope_bytes_per_second: float | None = None
    seconds_to_limit: float | None = None
    fingerprint: str | None = None
    type_name: str | None = None


_to_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode

_VERDICT_FIELDS = tuple(field.name for field in fields(VerdictInShort))
"""``asdict()`` copies deeply, which costs more than the rest of the page."""


@dataclass(frozen=True, slots=True)
class MemberPage:
    """The page of one member: the process it is of, its port, when it was published (Unix seconds), and the values.

    Its counters begin at ``started_at``. ``is_reported`` is whether they reach an OTLP receiver without the hub.
    ``headroom_bytes`` is left below the limit of the cgroup with inode ``limited_group``; both may be unknown.
    ``recent_slope_bytes_per_second`` is the growth over the last few samples, ``None`` before there are enough.
    ``values`` has the samples of each metric by its Prometheus name, in the order of the metric's labels.
    """

    pid: int
    port: int
    started_at: float
    published_at: float
    interval_seconds: float
    is_reported: bool
    verdict: VerdictInShort
    recent_slope_bytes_per_second: float | None
    headroom_bytes: float | None
    limited_group: float | None
    values: Mapping[str, Sequence[LabelledValue]]

    def value(self, name: str) -> float | None:
        """Return the value of a metric without labels on the page, ``None`` if it is not there."""
        return next((number for _, number in self.values.get(name, ())), None)


def page_of(
    pid: int,
    reading: Reading,
    values: Mapping[str, Sequence[LabelledValue]],
    *,
    port: int,
    interval_seconds: float,
    is_reported: bool,
    recent_slope_bytes_per_second: float | None,
) -> MemberPage:
    """Return the page of a process from its last reading and the samples of its metrics."""
    published_at = reading.sample.taken_at if reading.sample else reading.started_at
    limits = reading.detail.limits
    return MemberPage(
        pid,
        port,
        reading.started_at,
        published_at,
        interval_seconds,
        is_reported,
        _in_short(reading.verdict, reading.alert),
        recent_slope_bytes_per_second,
        limits.headroom_bytes if limits else None,
        limits.group if limits else None,
        values,
    )


def encode_page(page: MemberPage) -> bytes:
    """Return a page as JSON."""
    document = {
        "format": FORMAT,
        "pid": page.pid,
        "port": page.port,
        "started_at": page.started_at,
        "published_at": page.published_at,
        "interval_seconds": page.interval_seconds,
        "is_reported": page.is_reported,
        "verdict": {name: getattr(page.verdict, name) for name in _VERDICT_FIELDS},
        "recent_slope_bytes_per_second": page.recent_slope_bytes_per_second,
        "headroom_bytes": page.headroom_bytes,
        "limited_group": page.limited_group,
        "values": {name: _columns(points) for name, points in page.values.items()},
    }
    return _to_json(document).encode()


class OtherFormat(ValueError):
    """A page was written by another release, which has another format."""


def decode_page(data: bytes, label_counts: Mapping[str, int]) -> MemberPage:
    """Return the page that a member has published; metrics that are not in ``label_counts`` are left out.

    ``label_counts`` has the number of labels of each metric. Raises ``ValueError``, and :class:`OtherFormat`.
    """
    document = parse_json(data)
    try:
        if document["format"] != FORMAT:
            raise OtherFormat(f"the page has format {document['format']!r:.40}")
        return MemberPage(
            _whole(document["pid"]),
            _whole(document["port"]),
            _number(document["started_at"]),
            _number(document["published_at"]),
            _number(document["interval_seconds"]),
            document["is_reported"] is True,
            _decode_verdict(document["verdict"]),
            _number_or_none(document["recent_slope_bytes_per_second"]),
            _number_or_none(document["headroom_bytes"]),
            _number_or_none(document["limited_group"]),
            {
                name: _points(columns, label_counts[name])
                for name, columns in document["values"].items()
                if name in label_counts
            },
        )
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"the page is incomplete: {error!r:.100}") from error


def _in_short(verdict: Verdict | None, alert: LeakAlert | None) -> VerdictInShort:
    if verdict is None:
        return VerdictInShort()
    total = next((trend for trend in verdict.trends if trend.kind is MemoryKind.TOTAL), None)
    return VerdictInShort(
        verdict.state,
        verdict.cause,
        total.slope_bytes_per_second if total else None,
        verdict.seconds_to_limit,
        alert.fingerprint if alert and verdict.is_suspicion else None,
        verdict.growing_types[0].type_name if verdict.growing_types else None,
    )


def _decode_verdict(document: Mapping[str, Any]) -> VerdictInShort:
    cause = document["cause"]
    return VerdictInShort(
        State(document["state"]),
        None if cause is None else Cause(cause),
        _number_or_none(document["slope_bytes_per_second"]),
        _number_or_none(document["seconds_to_limit"]),
        _text_or_none(document["fingerprint"]),
        _text_or_none(document["type_name"]),
    )


def _columns(points: Sequence[LabelledValue]) -> Sequence[Sequence[float | str]]:
    """Return the numbers of a metric, which has some, and then the values of each of its labels: read fast."""
    labels, numbers = zip(*points, strict=True)
    return numbers, *zip(*labels, strict=True)


def _points(columns: Sequence[Sequence[Any]], label_count: int) -> Sequence[LabelledValue]:
    numbers, *labels = columns
    if len(labels) != label_count or any(len(texts) != len(numbers) for texts in labels):
        raise ValueError(f"a metric has not {label_count} labels for each of its values")
    if not set(map(type, numbers)) <= {int, float}:
        raise ValueError("a value is not a number")
    for texts in labels:
        if not set(map(type, texts)) <= {str} or max(map(len, texts), default=0) > MAX_TEXT_CHARS:
            raise ValueError(f"a label is not a text of at most {MAX_TEXT_CHARS} characters")
    rows = zip(*labels, strict=True) if labels else repeat(())
    return list(zip(rows, map(float, numbers), strict=False))


def _text(value: object) -> str:
    if type(value) is not str or len(value) > MAX_TEXT_CHARS:
        raise ValueError(f"{value!r:.40} is not a text of at most {MAX_TEXT_CHARS} characters")
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _number(value: object) -> float:
    if type(value) not in (float, int):
        raise ValueError(f"{value!r:.40} is not a number")
    return float(value)  # type: ignore[arg-type]  # it is a number


def _number_or_none(value: object) -> float | None:
    return None if value is None else _number(value)


def _whole(value: object) -> int:
    if type(value) is not int:
        raise ValueError(f"{value!r:.40} is not a whole number")
    return value
