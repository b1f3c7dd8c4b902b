"""The ``/metrics`` of a fleet: the values of all members, merged metric by metric."""

from __future__ import annotations

import time
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from heap_exporter.export.families import MEMBER_LABELS, Family, family_of, of_member
from heap_exporter.export.standard_metrics import StandardMetrics
from heap_exporter.export.text_format import OPENMETRICS_END, choose_format, heading, sample_lines
from heap_exporter.fleet.fleet_families import FleetState, fleet_families
from heap_exporter.fleet.fleet_pages import FleetMember, FleetPages
from heap_exporter.fleet.member_page import MemberPage
from heap_exporter.fleet.own_process import OwnProcess
from heap_exporter.metrics import METRICS, LabelledValue

CACHE_SECONDS = 1.0
"""How long an answer for several processes is kept: merging the pages of many costs the hub time."""

OF_SILENT_MEMBERS = ("heap_exporter_last_sample_timestamp_seconds",)
"""What is shown of a member that is not up: its other values are old, and would look like those of now."""

MAX_SERIES = 10_000
"""With more, the series by type are left out of all members but the leaking and the fastest growing ones."""

FASTEST = 8

PROCESS_INFO = "python_heap_process_info"
"""Its role is that among the members now: a page has the one of the last census."""

OF_TYPES = ("python_heap_type_bytes", "python_heap_type_objects")

Answer = tuple[bytes, str]


class FleetMetrics:
    """The metrics of all members in a snapshot folder; those of this process are of its newest reading.

    ``own`` is this process, ``None`` if it is no member. Only the members with the same port as ``own`` count: the
    others are on a port of their own, and a Prometheus that scrapes both must not have them twice.
    """

    def __init__(self, snapshot_folder: Path, own: OwnProcess | None) -> None:
        self._own = own
        self._catalogue = {
            family.name: family for family in chain(map(family_of, METRICS), StandardMetrics().families())
        }
        self._pages = FleetPages(
            snapshot_folder, {name: len(family.labels) for name, family in self._catalogue.items()}
        )
        self._lines: Mapping[str, tuple[MemberPage, Mapping[str, str]]] = {}
        self._found: Sequence[FleetMember] = ()
        self.alerts_received: dict[str, int] = {}
        """How many alerts of Alertmanager this process has received, by outcome; empty before the first."""
        self._answers: dict[str, tuple[float, Answer]] = {}

    def members(self) -> Sequence[FleetMember]:
        """Return all live members, this process with a page of its newest reading."""
        self._found = self._members()
        return self._found

    def _members(self) -> Sequence[FleetMember]:
        if self._own is None:
            return self._pages.read()
        own, others = self._own.member, self._others(self._own.port) if self._own.port else ()
        if own is None:
            return others
        others = [each for each in others if each.member != own]
        return sorted((FleetMember(own, self._own.page(own.pid)), *others), key=_order)

    def _others(self, port: int) -> Sequence[FleetMember]:
        return [each for each in self._pages.read() if each.page is not None and each.page.port == port]

    def render(self, accept: str) -> Answer:
        """Return the metrics of all members in the Prometheus format that the ``Accept`` header prefers, and its type.

        The answer is up to :data:`CACHE_SECONDS` old if there are other members.
        """
        cached = self._answers.get(accept)
        if cached is not None and time.monotonic() < cached[0]:
            return cached[1]
        found = self.members()
        answer = self.render_members(accept, found, FleetState(found, time.time(), self.alerts_received))
        self._answers = {accept: (time.monotonic() + CACHE_SECONDS, answer)} if len(found) > 1 else {}
        return answer

    def render_members(self, accept: str, found: Sequence[FleetMember], state: FleetState | None = None) -> Answer:
        """Return the metrics of some members, and those of the fleet if its state is given."""
        is_openmetrics, content_type = choose_format(accept)
        of_fleet = tuple(fleet_families(state)) if state else ()
        shown = _with_types(found, sum(len(tuple(family.points)) for family in of_fleet))
        of_each = [self._lines_of(each, () if each.id in shown else OF_TYPES) for each in found]
        parts = []
        for name, family in self._catalogue.items():
            if any(lines := [each[name] for each in of_each if name in each]):
                parts += [heading(family, is_openmetrics=is_openmetrics), *lines]
        for family in of_fleet:
            parts += [heading(family, is_openmetrics=is_openmetrics), sample_lines(family)]
        body = "".join(parts).encode("utf-8", "replace")
        return body + OPENMETRICS_END if is_openmetrics else body, content_type

    def families(self) -> Iterator[Family]:
        """Yield the Prometheus families of all members and of the fleet, without the standard ones of a process."""
        found = self.members()
        now = time.time()
        of_fleet = tuple(fleet_families(FleetState(found, now)))
        shown = _with_types(found, sum(len(tuple(family.points)) for family in of_fleet))
        for entry in METRICS:
            family, points = self._catalogue[entry.name], list[LabelledValue]()
            for each in found:
                if self._is_shown(entry.name, each, now, () if each.id in shown else OF_TYPES):
                    (of_each,) = of_member(each.member, [family._replace(points=self._points(entry.name, each))])
                    points.extend(of_each.points)
            if points:
                yield family._replace(labels=(*MEMBER_LABELS, *family.labels), points=points)
        yield from of_fleet

    @staticmethod
    def _is_shown(name: str, each: FleetMember, now: float, left_out: Container[str]) -> bool:
        if each.page is None or name not in each.page.values:
            return False
        return name not in left_out if each.is_up(now) else name in OF_SILENT_MEMBERS

    def _lines_of(self, each: FleetMember, left_out: Container[str]) -> Mapping[str, str]:
        """Return the lines of a member by metric; they are kept until it publishes another page."""
        if each.page is None:
            return {}
        known = self._lines.get(each.id)
        if known is None or known[0] is not each.page:
            known = each.page, {name: self._encoded(name, each) for name in each.page.values}
            self._lines = {**self._lines, each.id: known}
        now = time.time()
        return {name: lines for name, lines in known[1].items() if self._is_shown(name, each, now, left_out)}

    def _points(self, name: str, each: FleetMember) -> Sequence[LabelledValue]:
        assert each.page is not None
        if name != PROCESS_INFO:
            return each.page.values[name]
        role = each.member.role_among(other.member for other in self._found)
        return [((str(each.member.pid), role.value), 1.0)]

    def _encoded(self, name: str, each: FleetMember) -> str:
        values = self._catalogue[name]._replace(points=self._points(name, each))
        return "".join(map(sample_lines, of_member(each.member, [values])))


def _with_types(found: Sequence[FleetMember], fleet_series: int) -> Container[str]:
    """Return the ids of the members whose series by type are shown, next to some series of the fleet."""
    series = sum(len(points) for each in found if each.page for points in each.page.values.values())
    if series + fleet_series <= MAX_SERIES:
        return {each.id for each in found}
    fastest = sorted(found, key=lambda each: -each.growth_bytes_per_second)[:FASTEST]
    return {each.id for each in (*fastest, *(each for each in found if each.is_suspected))}


def _order(each: FleetMember) -> tuple[str, int]:
    return each.member.service, int(each.member.worker) if each.member.worker.isdecimal() else -1
