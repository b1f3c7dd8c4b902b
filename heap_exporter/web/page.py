"""The status page. It is written here as a whole; its script only fetches it again and takes snapshots."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template
from typing import Any

from heap_exporter._version import VERSION
from heap_exporter.model import (
    Cause,
    GrowingType,
    LeakAlert,
    MemoryKind,
    Point,
    Reading,
    SnapshotInfo,
    State,
    TypeCount,
    Verdict,
)
from heap_exporter.report import reason_text
from heap_exporter.report.advice_text import alert_advice
from heap_exporter.report.sparkline import Sparkline
from heap_exporter.runtime import formatting
from heap_exporter.snapshot.comparison import Comparison
from heap_exporter.web import words

TYPES_SHOWN = 15
SNAPSHOTS_SHOWN = 10
SUSPECTS_SHOWN = 5

_BACKTICKS = re.compile("`([^`]*)`")

HEADLINES = {
    State.WARMING_UP: "Getting to know this process",
    State.STEADY: "Memory is steady",
    State.GROWING: "Memory is growing",
    State.SUSPECTED: "A leak is suspected",
    State.CONFIRMED: "A leak is confirmed",
    State.PLATEAUED: "Memory grew and has settled",
}


CAUSES = {
    Cause.PYTHON_OBJECTS: "Python objects",
    Cause.UNCOLLECTED_CYCLES: "cycles that are not collected",
    Cause.NATIVE: "native memory",
    Cause.FRAGMENTATION: "memory that an allocator keeps",
    Cause.FILE_OR_SHARED: "file or shared memory",
    Cause.UNATTRIBUTED: "memory that cannot be told apart here",
}


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows; ``root`` is the path that it is mounted under."""

    reading: Reading
    points: Sequence[Point]
    snapshots: Sequence[SnapshotInfo]
    comparison: Comparison | None
    root: str
    pid: int


def render(view: View) -> str:
    """Return the page as HTML; every text that comes from the process is escaped."""
    return _TEMPLATE.substitute(
        style=_STYLE,
        script=_SCRIPT,
        root=escape(view.root),
        version=VERSION,
        pid=view.pid,
        state=_state(view.reading),
        verdict=_verdict(view.reading.verdict) + _alert(view.reading.alert),
        memory=_memory(view.points),
        figures=_figures(view.reading),
        types=_types(view.reading),
        walker=_walker(view.reading),
        comparison=_comparison(view.comparison),
        snapshots=_snapshots(view),
        as_of=formatting.clock(view.reading.sample.taken_at) if view.reading.sample else "no sample yet",
    )


def _state(reading: Reading) -> str:
    return reading.verdict.state.value if reading.verdict else State.WARMING_UP.value


def _verdict(verdict: Verdict | None) -> str:
    state = verdict.state if verdict else State.WARMING_UP
    reasons = reason_text.sentences(verdict) if verdict else ("the first verdict comes with the first sample",)
    items = "".join(f"<li>{_marked(reason)}</li>" for reason in reasons)
    cause = f" in {CAUSES[verdict.cause]}" if verdict and verdict.cause and verdict.is_suspicion else ""
    return f'<h1 id="headline">{HEADLINES[state]}{cause}</h1><ul class="reasons">{items}</ul>'


def _alert(alert: LeakAlert | None) -> str:
    if alert is None:
        return ""
    told = [f"Told of at {formatting.moment(alert.verdict.judged_at)} as {alert.fingerprint}."]
    told += [f"{grown.name}: {formatting.gain(grown.after_bytes - grown.before_bytes)}" for grown in alert.mappings[:3]]
    told += [advice] if (advice := alert_advice(alert)) else []
    return "".join(f'<p class="alert">{_marked(line)}</p>' for line in told)


def _memory(points: Sequence[Point]) -> str:
    heap = [(point.t_seconds, point.heap_bytes) for point in points if point.heap_bytes is not None]
    resident = [(point.t_seconds, point.rss_bytes) for point in points]
    return _chart("Python heap", "heap", heap) + _chart("Resident memory", "resident", resident)


def _chart(title: str, key: str, series: Sequence[tuple[float, int]]) -> str:
    if not series:
        return f'<article class="chart"><h2>{title}</h2><p class="big">–</p><p class="quiet">not read yet</p></article>'
    line = Sparkline(series)
    span, change = line.seconds, series[-1][1] - series[0][1]
    label = f"{title}: {formatting.size(series[-1][1])}, {formatting.gain(change)} in {formatting.duration(span)}"
    return (
        f'<article class="chart {key}"><h2>{title}</h2><p class="big">{formatting.size(series[-1][1])}</p>'
        f'<p class="quiet">{formatting.gain(change)} in {formatting.duration(span)}</p>{line.svg(label)}'
        f'<p class="scale"><span>{formatting.duration(span)} ago</span>'
        f"<span>{formatting.size(line.lowest)} – {formatting.size(line.highest)}</span><span>now</span></p></article>"
    )


def _figures(reading: Reading) -> str:
    sample, census, verdict = reading.sample, reading.census, reading.verdict
    memory, limits = sample.process if sample else None, reading.detail.limits
    total = next((trend for trend in verdict.trends if trend.kind is MemoryKind.TOTAL), None) if verdict else None
    shown = {
        "Slope": formatting.rate(total.slope_bytes_per_second) if total else None,
        "Limit": formatting.size(limits.limit_bytes) if limits and limits.limit_bytes is not None else None,
        "Limit reached in": formatting.duration(verdict.seconds_to_limit)
        if verdict and verdict.seconds_to_limit is not None
        else None,
        "Objects": formatting.count(census.objects) if census else None,
        "Peak": formatting.size(memory.peak_bytes) if memory and memory.peak_bytes is not None else None,
        "Swapped": formatting.size(memory.swap_bytes) if memory and memory.swap_bytes else None,
        "Threads": formatting.count(memory.threads) if memory and memory.threads is not None else None,
        "Uptime": formatting.duration(sample.uptime_seconds) if sample and sample.uptime_seconds is not None else None,
    }
    return "".join(f"<div><dt>{name}</dt><dd>{escape(text)}</dd></div>" for name, text in shown.items() if text)


def _types(reading: Reading) -> str:
    if reading.census is None:
        return '<tr><td colspan="6" class="quiet">The first census has not been taken yet.</td></tr>'
    growth = {grower.type_name: grower for grower in reading.verdict.growing_types} if reading.verdict else {}
    shown = list(reading.census.types[:TYPES_SHOWN])
    shown += [count for count in reading.census.types[TYPES_SHOWN:] if count.type_name in growth]
    largest = max((count.bytes for count in shown), default=0) or 1
    return "".join(_type(count, growth.get(count.type_name), largest) for count in shown)


def _walker(reading: Reading) -> str:
    said = [words.census(reading.census, reading.census_interval_seconds)] if reading.census else []
    said += [words.walker(reading.walker)] if reading.walker else []
    return escape(" ".join(said))


def _type(count: TypeCount, grower: GrowingType | None, largest_bytes: int) -> str:
    share = 100 * count.bytes / largest_bytes
    return (
        f'<tr class="{"grows" if grower else "still"}"><th scope="row">{escape(count.type_name)}</th>'
        f'<td class="bar"><svg aria-hidden="true"><rect width="{share:.1f}%" height="100%" rx="4"/></svg></td>'
        f"<td>{formatting.size(count.bytes)}</td><td>{formatting.gain(grower.bytes) if grower else '–'}</td>"
        f"<td>{count.objects:,}</td><td>{f'{grower.objects:+,}' if grower else '–'}</td></tr>"
    )


def _comparison(found: Comparison | None) -> str:
    if found is None:
        return '<p class="quiet">Two snapshots are compared: take one now, and another when memory has grown.</p>'
    if found.state == "running":
        return '<p class="quiet">The last two snapshots are being compared.</p>'
    if found.report is None:
        return f"<p>The last two snapshots were not compared: {escape(found.problem)}.</p>"
    suspects = [_suspect(suspect) for suspect in found.report["suspects"][:SUSPECTS_SHOWN]]
    return f"<p>{_marked(found.report['verdict'])}</p><ol>{''.join(suspects)}</ol>"


def _suspect(suspect: dict[str, Any]) -> str:
    advice = f'<span class="quiet">{_marked(suspect["advice"])}</span>' if suspect["advice"] else ""
    path = f'<span class="quiet">{escape(" → ".join(suspect["path"]))}</span>'
    return f"<li><span>{_marked(suspect['text'])}</span>{path}{advice}</li>"


def _marked(sentence: str) -> str:
    """Return a sentence with what stands between backticks as code."""
    return _BACKTICKS.sub(r"<code>\1</code>", escape(sentence))


def _snapshots(view: View) -> str:
    if not view.snapshots:
        return '<li class="quiet">None yet.</li>'
    rows = [
        f'<li><a href="{escape(view.root)}/snapshots/{info.id}/file">{formatting.moment(info.taken_at)}</a>'
        f"<span>{escape(info.reason) or 'no reason given'}</span>"
        f'<span class="quiet">{info.content} of {formatting.count(info.objects)} objects'
        f" · {formatting.size(info.bytes)} · took {formatting.duration(info.duration_seconds)}"
        f" · longest pause {formatting.duration(info.pause_seconds)}"
        f"{escape(f' · {info.note}' if info.note else '')}</span></li>"
        for info in view.snapshots[:SNAPSHOTS_SHOWN]
    ]
    more = len(view.snapshots) - len(rows)
    if more > 0:
        rows.append(f'<li class="quiet">and {more} older: <a href="{escape(view.root)}/snapshots">all of them</a></li>')
    return "".join(rows)


def _asset(name: str) -> str:
    return resources.files("heap_exporter.web").joinpath("pages", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_TEMPLATE = Template(_asset("status.html"))
_STYLE = _asset("status.css")
_SCRIPT = _asset("status.js")

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing runs and nothing is loaded but what the page brings itself, told by its hash."""
