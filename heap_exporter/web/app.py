"""The pages as a WSGI application: the exporter serves it on its own port, or a service mounts it.

Pages show the last reading and start nothing; only ``POST /snapshots`` and the routes of allocations do work.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Protocol

from heap_exporter.allocations import AllocationSampler
from heap_exporter.detection.history import History
from heap_exporter.errors import (
    SnapshotBusy,
    SnapshotCancelled,
    SnapshotError,
    SnapshotNoDisk,
    SnapshotNoMemory,
    SnapshotNotFound,
)
from heap_exporter.model import Reading
from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.runtime.formatting import duration
from heap_exporter.runtime.json_input import parse_json
from heap_exporter.snapshot.service import Snapshots
from heap_exporter.snapshot.snapshot_requests import SnapshotProgress
from heap_exporter.web import responses
from heap_exporter.web.allocation_pages import AllocationPages
from heap_exporter.web.byte_range import requested_part
from heap_exporter.web.guarded_app import GuardedApp, metrics_response
from heap_exporter.web.http_date import http_date
from heap_exporter.web.negotiation import prefers_json
from heap_exporter.web.problem import Problem
from heap_exporter.web.request import FORM, Request
from heap_exporter.web.response import FilePart, Response, json_response
from heap_exporter.web.shown_snapshots import ShownSnapshots, shown_snapshots

DEFAULT_REASON = "requested over HTTP"
BODIES = """send reason=before+deploy, or {"reason": "before deploy"} with Content-Type: application/json"""
ROUTES: Mapping[str, Mapping[str, str]] = {
    "/": {"GET": "_get_status"},
    "/metrics": {"GET": "_get_metrics"},
    "/census": {"GET": "_get_census"},
    "/verdict": {"GET": "_get_verdict"},
    "/snapshots": {"GET": "_get_snapshots", "POST": "_post_snapshot"},
    "/snapshots/ID": {"GET": "_get_snapshot"},
    "/snapshots/ID/file": {"GET": "_get_snapshot_file"},
    "/snapshots/ID/report": {"GET": "_get_snapshot_report"},
    "/allocations": {"GET": "_get_allocations", "POST": "_post_allocations"},
    "/lost": {"GET": "_get_lost"},
    "/debug/pprof/": {"GET": "_get_profiles"},
    "/debug/pprof/heap": {"GET": "_get_heap_profile"},
    "/debug/pprof/allocs": {"GET": "_get_allocs_profile"},
    "/-/healthy": {"GET": "_get_health"},
}
"""The methods of :class:`App` that answer, by path and HTTP method; ``ID`` stands for the id of a snapshot."""

FLEET_PAGES = ("/processes", "/processes/WORKER/", "/sd", "/-/ready", "/-/alertmanager")
"""The pages that only all processes together have; those of one process are at its own path below ``/processes``."""

REPORT_POLICY = "sandbox allow-scripts; frame-ancestors 'none'"
"""The page of a report has a stricter policy of its own; with this one, it cannot read or request other pages here."""

STATUSES: tuple[tuple[type[SnapshotError], HTTPStatus], ...] = (
    (SnapshotBusy, HTTPStatus.TOO_MANY_REQUESTS),
    (SnapshotNoMemory, HTTPStatus.SERVICE_UNAVAILABLE),
    (SnapshotCancelled, HTTPStatus.SERVICE_UNAVAILABLE),
    (SnapshotNoDisk, HTTPStatus.INSUFFICIENT_STORAGE),
    (SnapshotNotFound, HTTPStatus.NOT_FOUND),
    (SnapshotError, HTTPStatus.INTERNAL_SERVER_ERROR),
)

Handler = Callable[[Request], Response]


class PageSource(Protocol):
    """The data that the HTTP pages show. Each request reads the properties again: a fork replaces the objects."""

    @property
    def snapshots(self) -> Snapshots:
        """Return the service that takes the snapshots which HTTP requests order, and lists them for the pages."""

    @property
    def history(self) -> History:
        """Return the past samples, for the charts on the status page."""

    @property
    def allocations(self) -> AllocationSampler:
        """Return the sampler of allocations that HTTP requests read, start and stop."""

    def reading(self) -> Reading:
        """Return the last reading, for the HTTP pages to show."""


class App(GuardedApp):
    """The pages of one process.

    ``metrics(accept)`` returns the body of /metrics and its content type. ``trust_loopback`` is True on the exporter's
    own server only: see :class:`~heap_exporter.web.auth.Gate`. ``processes(root)`` returns the
    processes that the status page lists, with URLs below the path ``root``.
    """

    def __init__(
        self,
        source: PageSource,
        metrics: Callable[[str], tuple[bytes, str]],
        *,
        token: str,
        trust_loopback: bool,
        processes: Callable[[str], Sequence[responses.Document]] = lambda _: (),
    ) -> None:
        super().__init__(token, trust_loopback=trust_loopback)
        self._source = source
        self._metrics = metrics
        self._processes = processes
        self._allocations = AllocationPages()

    def respond(self, request: Request) -> Response:
        """Return the answer of this process to a request that is allowed. Raises :class:`Problem`."""
        try:
            return self._handler(request)(request)
        except SnapshotError as error:
            raise self._snapshot_problem(error) from error

    def _handler(self, request: Request) -> Handler:
        """Return the method that answers an HTTP request. Raises :class:`Problem` for another path or method."""
        parts = request.path.split("/")
        ids = list(filter(None, parts[2:3])) if parts[1:2] == ["snapshots"] else []
        handlers = ROUTES.get("/".join([*parts[:2], "ID", *parts[3:]]) if ids else request.path)
        if handlers is None:
            *pages, last = (*ROUTES, *FLEET_PAGES)
            detail = f"there is no page {request.path}; the pages are {', '.join(pages)} and {last}"
            raise Problem(HTTPStatus.NOT_FOUND, detail)
        name = handlers.get("GET" if request.method == "HEAD" else request.method)
        if name is None:
            allowed = ", ".join(sorted({"HEAD", *handlers}))
            detail = f"{request.path} does not support {request.method}; use {allowed}"
            raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, detail, [("Allow", allowed)])
        return partial(getattr(self, name), *ids)

    def _get_metrics(self, request: Request) -> Response:
        return metrics_response(request, *self._metrics(request.header("Accept")))

    def _get_status(self, request: Request) -> Response:
        reading, store, shown = self._source.reading(), self._source.snapshots.store, self._shown_snapshots(request)
        comparison, root, pid = self._source.snapshots.last_comparison(), request.root_path, os.getpid()
        headers = [("Vary", "Accept")]
        if prefers_json(request.header("Accept")):
            return json_response(responses.status(reading, shown, comparison, root, pid), headers=headers)
        with late_imports():
            from heap_exporter.web import page

        points, reported = self._source.history.points(), store.page_ids()
        view = page.View(reading, points, shown, reported, comparison, root, pid, self._processes(root))
        headers.append(("Content-Security-Policy", page.CONTENT_SECURITY_POLICY))
        body = page.render(view).encode("utf-8", "replace")
        return Response(body, "text/html; charset=utf-8", headers=headers)

    def _get_health(self, _request: Request) -> Response:
        return json_response(responses.health(os.getpid()))

    def _get_census(self, _request: Request) -> Response:
        reading = self._source.reading()
        if reading.census is None:
            raise _not_yet(reading, "census", reading.census_interval_seconds)
        return json_response(responses.census(reading.census, reading))

    def _get_verdict(self, _request: Request) -> Response:
        return json_response(self.verdict())

    def verdict(self) -> responses.Document:
        """Return the JSON of /verdict of this process. Raises :class:`Problem` before the first verdict."""
        reading = self._source.reading()
        if reading.verdict is None:
            raise _not_yet(reading, "verdict", reading.census_interval_seconds)
        return responses.verdict(reading.verdict, reading.alert)

    def _get_allocations(self, request: Request) -> Response:
        return self._allocations.get(self._source.allocations, request)

    def _post_allocations(self, request: Request) -> Response:
        return self._allocations.post(self._source.allocations, request)

    def _get_lost(self, _request: Request) -> Response:
        growth = self._source.reading().lost
        if growth is None:
            raise Problem(
                HTTPStatus.CONFLICT,
                "lost memory has not been searched for twice: take two snapshots with POST /snapshots; the search "
                "needs the native walker and HEAP_EXPORTER_LOST=true",
            )
        return json_response(responses.lost(growth))

    def _get_profiles(self, _request: Request) -> Response:
        return self._allocations.index()

    def _get_heap_profile(self, request: Request) -> Response:
        return self._allocations.heap(self._source.allocations, request)

    def _get_allocs_profile(self, _request: Request) -> Response:
        return self._allocations.allocs(self._source.allocations)

    def _get_snapshots(self, request: Request) -> Response:
        return json_response(responses.snapshots(self._shown_snapshots(request), request.root_path))

    def _get_snapshot(self, id: str, request: Request) -> Response:
        return json_response(self._progress(self._source.snapshots.state(id), request))

    def _get_snapshot_file(self, id: str, request: Request) -> Response:
        info, file = self._source.snapshots.store.open_file(id)
        changed = http_date(info.taken_at)
        headers = [
            ("Content-Disposition", f"attachment; filename={info.path.name}"),
            ("Last-Modified", changed),
            ("Accept-Ranges", "bytes"),
        ]
        try:
            part = requested_part(request, info.bytes, changed)
        except Problem:
            file.close()
            raise
        status = HTTPStatus.OK if len(part) == info.bytes else HTTPStatus.PARTIAL_CONTENT
        if status is HTTPStatus.PARTIAL_CONTENT:
            headers.append(("Content-Range", f"bytes {part.start}-{part.stop - 1}/{info.bytes}"))
        body = FilePart(file, part.start, len(part))
        return Response(body, "application/octet-stream", status, headers, length=len(part))

    def _get_snapshot_report(self, id: str, _request: Request) -> Response:
        file = self._source.snapshots.store.open_page(id)
        size = os.fstat(file.fileno()).st_size
        headers = [("Content-Security-Policy", REPORT_POLICY)]
        return Response(FilePart(file, 0, size), "text/html; charset=utf-8", headers=headers, length=size)

    def _shown_snapshots(self, request: Request) -> ShownSnapshots:
        return shown_snapshots(request, self._source.snapshots.store.list(), self._source.snapshots.service)

    def _post_snapshot(self, request: Request) -> Response:
        return created_response(*self.order_snapshot(request))

    def order_snapshot(self, request: Request) -> tuple[responses.Document, HTTPStatus]:
        """Take or reserve the snapshot that a request wants; return its JSON and the status of the answer.

        Raises :class:`Problem`.
        """
        try:
            return self._order_snapshot(request)
        except SnapshotError as error:
            raise self._snapshot_problem(error) from error

    def _order_snapshot(self, request: Request) -> tuple[responses.Document, HTTPStatus]:
        query = request.query()
        wait = query.get("wait", "1")
        if wait not in ("0", "1"):
            raise Problem(
                HTTPStatus.BAD_REQUEST,
                "wait must be 0 (answer at once) or 1 (answer once the snapshot is written)",
            )
        reason, snapshots = query["reason"] if "reason" in query else _requested_reason(request), self._source.snapshots
        if wait == "0":
            progress, status = snapshots.state(snapshots.reserve(reason)), HTTPStatus.ACCEPTED
        else:
            progress, status = snapshots.state(snapshots.take(reason, limit_bursts=True).id), HTTPStatus.CREATED
        return self._progress(progress, request), status

    def _progress(self, progress: SnapshotProgress, request: Request) -> responses.Document:
        comparison = self._source.snapshots.comparisons.state(progress.id)
        return responses.progress(progress, comparison, request.root_path)

    def _snapshot_problem(self, error: SnapshotError) -> Problem:
        status = next(status for kind, status in STATUSES if isinstance(error, kind))
        if status is not HTTPStatus.TOO_MANY_REQUESTS:
            return Problem(status, str(error))
        return Problem(status, str(error), [("Retry-After", str(self._source.snapshots.retry_seconds))])


def created_response(document: responses.Document, status: HTTPStatus) -> Response:
    """Return the answer to the request of a snapshot."""
    return json_response(document, status, [("Location", document["url"])])


def _requested_reason(request: Request) -> str:
    """Return the reason for a snapshot in the body of an HTTP request: from a form or a JSON object.

    Raises :class:`Problem` for a body without a reason: it would be lost without a word.
    """
    reason: object
    if request.content_type == "application/json":
        reason = _json_reason(request.body())
    elif not request.body():
        reason = DEFAULT_REASON
    elif request.content_type == FORM:
        reason = request.form().get("reason")
    else:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body must be a form or JSON; {BODIES}")
    if not isinstance(reason, str):
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body has no reason as a text; {BODIES}")
    return reason


def _json_reason(body: bytes) -> object:
    try:
        document = parse_json(body)
    except ValueError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the JSON body is not valid: {error}; {BODIES}") from error
    return document.get("reason", None if document else DEFAULT_REASON) if isinstance(document, dict) else None


_SOURCES = {"census": ("census",), "verdict": ("process", "read", "judge")}
"""What must not fail for a census and for a verdict: the names in ``heap_exporter_sample_errors_total``."""


def _not_yet(reading: Reading, what: str, interval_seconds: float) -> Problem:
    """Return the HTTP answer 503 for a census or verdict that does not exist yet: when it is due, or how late it is."""
    if failures := sum(reading.counters.sample_errors.get(source, 0) for source in _SOURCES[what]):
        times = "once" if failures == 1 else f"{failures} times"
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"the {what} has failed {times}; see the log of the service")
    due_seconds = min(reading.started_at - time.time(), 0.0) + interval_seconds  # the clock may have been set back
    is_late = due_seconds < -interval_seconds
    wait = max(1, math.ceil(interval_seconds if is_late else due_seconds))
    if is_late:
        detail = f"there is no {what} yet, {duration(-due_seconds)} after it was expected; see the log of the service"
    else:
        detail = f"there is no {what} yet; the first is expected within {wait} s"
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, [("Retry-After", str(wait))])
