"""The status page. The server renders it completely; its script only refreshes it and takes snapshots."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template
from typing import Any

from heap_exporter._version import VERSION
from heap_exporter.model import (
    Accumulation,
    Census,
    GrowingType,
    LeakAlert,
    MemoryKind,
    Point,
    Reading,
    SnapshotInfo,
    State,
    TypeCount,
    Verdict,
    WalkerChoice,
)
from heap_exporter.report import reason_text
from heap_exporter.report.comparison_problem_text import comparison_problem_text
from heap_exporter.report.markup import csp_hash
from heap_exporter.report.path_text import path_text
from heap_exporter.report.sparkline import Sparkline
from heap_exporter.report.verdict_text import accumulation_of, headline, verdict_summary
from heap_exporter.runtime import formatting
from heap_exporter.snapshot.comparison import Comparison
from heap_exporter.web.responses import report_url
from heap_exporter.web.shown_snapshots import ShownSnapshots

TYPES_SHOWN = 15
SNAPSHOTS_SHOWN = 10
SUSPECTS_SHOWN = 5

_BACKTICKS = re.compile("`([^`]*)`")

WALKER_REASONS = {
    "best": "it counts every object while the service continues to run",
    "setting": "HEAP_EXPORTER_WALKER selects it",
    "no_extension": "the C extension is missing",
    "platform": "the native walker needs Linux",
    "free_threaded": "the native walker does not support free-threaded builds",
    "subinterpreter": "an interpreter with a GIL of its own cannot load the C extension",
    "layout": "the C extension of the native walker was built for another interpreter",
    "failing": "the native walker keeps failing; heap-exporter will try it again later",
}
"""Why a walker was chosen, by the reason of a :class:`~heap_exporter.model.WalkerChoice`."""

PORTABLE_LIMITS = "It pauses the service for longer, and does not count str, int and bytes objects."


@dataclass(frozen=True, slots=True)
class View:
    """The data of the status page; ``root`` is the path prefix of the pages, ``reported`` has ids of snapshots.

    Those snapshots have an HTML report of the growth since the snapshot before. ``processes`` are those of the fleet,
    as in the JSON of /processes.
    """

    reading: Reading
    points: Sequence[Point]
    shown: ShownSnapshots
    reported: Collection[str]
    comparison: Comparison | None
    root: str
    pid: int
    processes: Sequence[dict[str, Any]] = ()


def render(view: View) -> str:
    """Return the status page as HTML. Every text from the process is escaped."""
    return _TEMPLATE.substitute(
        style=_STYLE,
        script=_SCRIPT,
        root=escape(view.root),
        version=VERSION,
        pid=view.pid,
        service=escape(view.shown.service),
        state=_state(view.reading),
        verdict=_verdict(view.reading),
        memory=_memory(view.points),
        numbers=_numbers(view.reading),
        types=_types(view.reading),
        walker=_walker(view.reading),
        comparison=_comparison(view.comparison, view.root),
        processes=_processes(view.processes),
        snapshots=_snapshots(view),
        as_of=formatting.clock(view.reading.sample.taken_at) if view.reading.sample else "no sample yet",
    )


def _state(reading: Reading) -> str:
    return reading.verdict.state.value if reading.verdict else State.WARMING_UP.value


def _verdict(reading: Reading) -> str:
    """Return the verdict on the status page as HTML: headline, three lines, and the reasons behind a fold."""
    verdict, alert = reading.verdict, reading.alert
    lines = "".join(f"<p>{_marked(line)}</p>" for line in verdict_summary(verdict, alert).lines)
    facts = [*_reasons(verdict), *_alert_facts(alert)]
    items = "".join(f"<li>{_marked(fact)}</li>" for fact in facts)
    fold = f'<details id="reasons"><summary>Reasons</summary><ul>{items}</ul></details>' if items else ""
    return f'<h1 id="headline">{headline(verdict)}</h1><div class="lines">{lines}</div>{fold}'


def _reasons(verdict: Verdict | None) -> Sequence[str]:
    return reason_text.sentences(verdict) if verdict else ()


def _alert_facts(alert: LeakAlert | None) -> Sequence[str]:
    if alert is None:
        return ()
    grown = [
        f"memory mappings ({each.name}): {formatting.gain(each.after_bytes - each.before_bytes)}"
        for each in alert.mappings[:3]
    ]
    return (f"alert sent {formatting.moment(alert.verdict.judged_at)}, fingerprint {alert.fingerprint}", *grown)


def _memory(points: Sequence[Point]) -> str:
    heap = [(point.t_seconds, point.heap_bytes) for point in points if point.heap_bytes is not None]
    resident = [(point.t_seconds, point.rss_bytes) for point in points]
    return _chart("Python heap", "heap", heap) + _chart("Resident memory", "resident", resident)


def _chart(title: str, key: str, series: Sequence[tuple[float, int]]) -> str:
    if not series:
        return f'<article class="chart"><h2>{title}</h2><p class="big">–</p><p class="quiet">no value yet</p></article>'
    line = Sparkline(series)
    span, change = line.seconds, series[-1][1] - series[0][1]
    label = f"{title}: {formatting.size(series[-1][1])}, {formatting.gain(change)} in {formatting.duration(span)}"
    return (
        f'<article class="chart {key}"><h2>{title}</h2><p class="big">{formatting.size(series[-1][1])}</p>'
        f'<p class="quiet">{formatting.gain(change)} in {formatting.duration(span)}</p>{line.svg(label)}'
        f'<p class="scale"><span>{formatting.duration(span)} ago</span>'
        f"<span>{formatting.size(line.lowest)} – {formatting.size(line.highest)}</span><span>now</span></p></article>"
    )


def _numbers(reading: Reading) -> str:
    sample, census, verdict = reading.sample, reading.census, reading.verdict
    memory, limits = sample.process if sample else None, reading.detail.limits
    total = next((trend for trend in verdict.trends if trend.kind is MemoryKind.TOTAL), None) if verdict else None
    shown = {
        "Growth": formatting.rate(total.slope_bytes_per_second) if total else None,
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
        return '<tr><td colspan="6" class="quiet">No census yet: the first one is taken soon.</td></tr>'
    growth = {grown.type_name: grown for grown in reading.verdict.growing_types} if reading.verdict else {}
    named = accumulation_of(reading.verdict, reading.alert)
    shown = list(reading.census.types[:TYPES_SHOWN])
    shown += [
        count
        for count in reading.census.types[TYPES_SHOWN:]
        if count.type_name in growth or (named and count.type_name == named.type_name)
    ]
    largest = max((count.bytes for count in shown), default=0) or 1
    return "".join(_type(count, growth.get(count.type_name), largest, named) for count in shown)


def walker_text(choice: WalkerChoice) -> str:
    """Return the sentence of the status page on the walker in use, and why it was chosen."""
    detail = f" ({choice.detail})" if choice.detail else ""
    uses = f"heap-exporter uses the {choice.name} walker because {WALKER_REASONS[choice.reason]}{detail}."
    return f"{uses} {PORTABLE_LIMITS}" if choice.name == "portable" else uses


def census_text(census: Census, interval_seconds: float) -> str:
    """Return the sentence of the status page on how, and how often, all objects are counted."""
    where = "in this process" if census.in_process else "in a cloned process"
    return (
        f"heap-exporter counts all objects every {formatting.duration(interval_seconds)}. The last count ran {where}, "
        f"took {formatting.duration(census.duration_seconds)} and paused the service for "
        f"{formatting.duration(census.pause_seconds)}."
    )


def _walker(reading: Reading) -> str:
    sentences = [census_text(reading.census, reading.census_interval_seconds)] if reading.census else []
    sentences += [walker_text(reading.walker)] if reading.walker else []
    return escape(" ".join(sentences))


def _type(count: TypeCount, grown: GrowingType | None, largest_bytes: int, named: Accumulation | None) -> str:
    share = 100 * count.bytes / largest_bytes
    is_named = named is not None and count.type_name == named.type_name
    held = f"<small>held by {escape(path_text(named.holder))}</small>" if named and is_named else ""
    return (
        f'<tr class="{"grows" if grown else "still"}"><th scope="row">{escape(count.type_name)}{held}</th>'
        f'<td class="bar"><svg aria-hidden="true"><rect width="{share:.1f}%" height="100%" rx="4"/></svg></td>'
        f"<td>{formatting.size(count.bytes)}</td><td>{formatting.gain(grown.bytes) if grown else '–'}</td>"
        f"<td>{count.objects:,}</td><td>{formatting.difference(grown.objects) if grown else '–'}</td></tr>"
    )


def _processes(processes: Sequence[dict[str, Any]]) -> str:
    """Return the table of all processes of the fleet as HTML, ``""`` if there is only one."""
    if len(processes) < 2:  # more than one
        return ""
    columns = ("Process", "Role", "Memory", "Growth", "State")
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    rows = "".join(map(_process, processes))
    return (
        f'<h2>Processes</h2><div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _process(process: dict[str, Any]) -> str:
    name = escape(f"{process['service']} {process['worker']}")
    slope, rss = process["slope_bytes_per_second"], process["rss_bytes"]
    return (
        f'<tr><th scope="row"><a href="{escape(process["url"])}">{name}</a>'
        f"<small>process {process['pid']}</small></th><td>{process['role']}</td>"
        f"<td>{formatting.size(rss) if rss else '–'}</td><td>{'–' if slope is None else formatting.rate(slope)}</td>"
        f"<td>{process['state'] if process['is_up'] else 'silent'}</td></tr>"
    )


def _comparison(comparison: Comparison | None, root: str) -> str:
    if comparison is None:
        return '<p class="quiet">Take a snapshot now and one when memory has grown: heap-exporter compares them.</p>'
    if comparison.state == "running":
        return '<p class="quiet">heap-exporter compares the last two snapshots.</p>'
    if comparison.report is None:
        return (
            f"<p>The last two snapshots were not compared: {_marked(comparison_problem_text(comparison.problem))}.</p>"
        )
    suspects = [_suspect(suspect) for suspect in comparison.report["suspects"][:SUSPECTS_SHOWN]]
    url = escape(report_url(comparison.after_id, root))
    link = f'<p><a href="{url}">Report with flame graph and tables</a></p>' if comparison.has_page else ""
    return f"<p>{_marked(comparison.report['verdict'])}</p><ol>{''.join(suspects)}</ol>{link}"


def _suspect(suspect: dict[str, Any]) -> str:
    """Return a suspect of a comparison as HTML for the status page: three lines, and numbers behind a fold."""
    lines = "".join(f"<p>{_marked(line)}</p>" for line in suspect["summary"].values() if line)
    retained, share = suspect["retained_bytes"]["after"], suspect["share"]
    numbers = [
        f"path: {' → '.join(suspect['path'])}",
        f"{share:.0%} of the growth; retains {formatting.size(retained)} now",
        f"fingerprint {suspect['fingerprint']}",
    ]
    items = "".join(f"<li>{escape(number)}</li>" for number in numbers)
    fold = (
        f'<details id="suspect-{escape(suspect["fingerprint"])}"><summary>Numbers</summary><ul>{items}</ul></details>'
    )
    return f"<li>{lines}{fold}</li>"


def _marked(sentence: str) -> str:
    """Return a sentence as HTML for the status page, with the names between backticks as code."""
    return _BACKTICKS.sub(r"<code>\1</code>", escape(sentence))


def _snapshots(view: View) -> str:
    shown, root = view.shown, escape(view.root)
    rows = [_snapshot(info, view) for info in shown.infos[:SNAPSHOTS_SHOWN]]
    if not rows:
        rows.append('<li class="quiet">No snapshot yet.</li>')
    if (more := len(shown.infos) - SNAPSHOTS_SHOWN) > 0:
        query = "?all=true" if shown.is_all else ""
        rows.append(f'<li class="quiet">{more} older: <a href="{root}/snapshots{query}">list of snapshots</a></li>')
    if shown.others:
        other = f"{formatting.plural(shown.others, 'snapshot')} of other services"
        rows.append(f'<li class="quiet">{other} in this folder: <a href="{root}/?all=true">show all</a></li>')
    elif shown.is_all:
        only = f"show only those of {escape(shown.service)}"
        rows.append(f'<li class="quiet">Snapshots of all services: <a href="{root}/">{only}</a></li>')
    return "".join(rows)


def _snapshot(info: SnapshotInfo, view: View) -> str:
    """Return a row of the status page's list: when, why, the report, the numbers."""
    root, taken = escape(view.root), formatting.moment(info.taken_at)
    other = escape(info.service or "unknown service") if info.service != view.shown.service else ""
    url = escape(report_url(info.id, view.root))
    return (
        f'<li><a href="{root}/snapshots/{info.id}/file" aria-label="download the snapshot of {taken}">{taken}</a>'
        f"<span>{escape(info.reason) or 'no reason given'}</span>"
        + (f'<span class="quiet">{other}</span>' if other else "")
        + (
            f'<a href="{url}" aria-label="report of the snapshot of {taken}">report</a>'
            if info.id in view.reported
            else ""
        )
        + f'<span class="quiet">{info.content} of {formatting.count(info.objects)} objects'
        f" · {formatting.size(info.bytes)} · took {formatting.duration(info.duration_seconds)}"
        f" · longest pause {formatting.duration(info.pause_seconds)}"
        f"{escape(f' · {info.note}' if info.note else '')}</span></li>"
    )


def _asset(name: str) -> str:
    return resources.files("heap_exporter.web").joinpath("pages", name).read_text(encoding="utf-8")


_TEMPLATE = Template(_asset("status.html"))
_STYLE = _asset("status.css")
_SCRIPT = _asset("status.js")

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; script-src {csp_hash(_SCRIPT)}; style-src {csp_hash(_STYLE)}; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The browser runs only the script of the page itself, checked by its hash, and loads nothing."""
