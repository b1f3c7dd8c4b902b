"""The pages as a WSGI application: the exporter serves it on its own port, or a service mounts it.

Pages show the last reading and start nothing; only ``POST /snapshots`` does work.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestedRangeNotSatisfiable
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response
from werkzeug.wsgi import wrap_file

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
from heap_exporter.runtime.formatting import duration, in_calendar
from heap_exporter.runtime.json_input import parse_json
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.service_name import service_name
from heap_exporter.snapshot.service import Snapshots
from heap_exporter.snapshot.snapshot_requests import SnapshotProgress
from heap_exporter.web import page, responses
from heap_exporter.web.auth import Gate
from heap_exporter.web.problem import Problem
from heap_exporter.web.request import Request
from heap_exporter.web.shown_snapshots import ShownSnapshots, shown_snapshots

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

GZIP_LEVEL = 1
"""The fastest; metrics shrink to a tenth at any level."""

DEFAULT_REASON = "requested over HTTP"
JSON_BODY = 'it must be an object such as {"reason": "before deploy"}'
PAGES = (
    "the pages are /, /metrics, /census, /verdict, /snapshots, /snapshots/ID, /snapshots/ID/file, "
    "/snapshots/ID/report and /-/healthy"
)

REPORT_POLICY = "sandbox allow-scripts; frame-ancestors 'none'"
"""The page of a report has a stricter policy of its own; with this one, it cannot read or request other pages here."""

SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

STATUSES: tuple[tuple[type[SnapshotError], HTTPStatus], ...] = (
    (SnapshotBusy, HTTPStatus.TOO_MANY_REQUESTS),
    (SnapshotNoMemory, HTTPStatus.SERVICE_UNAVAILABLE),
    (SnapshotCancelled, HTTPStatus.SERVICE_UNAVAILABLE),
    (SnapshotNoDisk, HTTPStatus.INSUFFICIENT_STORAGE),
    (SnapshotNotFound, HTTPStatus.NOT_FOUND),
    (SnapshotError, HTTPStatus.INTERNAL_SERVER_ERROR),
)

ROUTES = Map(
    [
        Rule("/metrics", endpoint="get_metrics", methods=["GET"]),
        Rule("/", endpoint="get_status", methods=["GET"]),
        Rule("/-/healthy", endpoint="get_health", methods=["GET"]),
        Rule("/census", endpoint="get_census", methods=["GET"]),
        Rule("/verdict", endpoint="get_verdict", methods=["GET"]),
        Rule("/snapshots", endpoint="get_snapshots", methods=["GET"]),
        Rule("/snapshots", endpoint="post_snapshot", methods=["POST"]),
        Rule("/snapshots/<id>", endpoint="get_snapshot", methods=["GET"]),
        Rule("/snapshots/<id>/file", endpoint="get_snapshot_file", methods=["GET"]),
        Rule("/snapshots/<id>/report", endpoint="get_snapshot_report", methods=["GET"]),
    ],
    merge_slashes=False,
)

Headers = dict[str, str]


class PageSource(Protocol):
    """The data that the HTTP pages show. Each request reads the properties again: a fork replaces the objects."""

    @property
    def snapshots(self) -> Snapshots:
        """Return the service that takes the snapshots which HTTP requests order, and lists them for the pages."""

    @property
    def history(self) -> History:
        """Return the past samples, for the charts on the status page."""

    def reading(self) -> Reading:
        """Return the last reading, for the HTTP pages to show."""


class App:
    """The WSGI application.

    ``metrics(accept)`` returns the body of /metrics and its content type. ``trust_loopback`` is True on the exporter's
    own server only: see :class:`~heap_exporter.web.auth.Gate`.
    """

    def __init__(
        self, source: PageSource, metrics: Callable[[str], tuple[bytes, str]], *, token: str, trust_loopback: bool
    ) -> None:
        self._source = source
        self._metrics = metrics
        self._gate = Gate(token, trust_loopback=trust_loopback)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request. Every exception becomes an answer."""
        # A reference from environ to the request is a cycle, which would wait for the application's garbage collector.
        request = Request(environ, populate_request=False)
        response = self._answer(request)
        for name, value in SAFE_HEADERS.items():
            response.headers.setdefault(name, value)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        try:
            self._gate.check(request)
            endpoint, arguments = ROUTES.bind("").match(request.path, request.method)
            response: Response = getattr(self, f"_{endpoint}")(request, **arguments)
        except Problem as problem:
            response = problem.response()
        except SnapshotError as error:
            response = self._snapshot_problem(error).response()
        except MethodNotAllowed as error:
            response = _wrong_method(request, error).response()
        except HTTPException as error:
            response = _http_problem(request, error).response()
        except Exception:
            log.exception("heap-exporter failed to answer %s %s", request.method, request.path)
            detail = "heap-exporter failed to answer the request; the log of the service has the traceback"
            response = Problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail).response()
        return response

    def _get_metrics(self, request: Request) -> Response:
        body, content_type = self._metrics(request.headers.get("Accept", ""))
        response = Response(body, content_type=content_type, headers={"Vary": "Accept, Accept-Encoding"})
        if request.accept_encodings["gzip"] > 0:
            response.set_data(gzip.compress(body, GZIP_LEVEL, mtime=0))
            response.headers["Content-Encoding"] = "gzip"
        return response

    def _get_status(self, request: Request) -> Response:
        reading, store, shown = self._source.reading(), self._source.snapshots.store, self._shown_snapshots(request)
        comparison, root, pid = self._source.snapshots.last_comparison(), request.root_path, os.getpid()
        if request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json":
            response = _json(responses.status(reading, shown, comparison, root, pid))
        else:
            points, reported = self._source.history.points(), store.page_ids()
            view = page.View(reading, points, shown, reported, comparison, root, pid)
            response = Response(page.render(view), content_type="text/html; charset=utf-8")
            response.headers["Content-Security-Policy"] = page.CONTENT_SECURITY_POLICY
        response.headers["Vary"] = "Accept"
        return response

    def _get_health(self, _request: Request) -> Response:
        return _json(responses.health(os.getpid()))

    def _get_census(self, _request: Request) -> Response:
        reading = self._source.reading()
        if reading.census is None:
            raise _not_yet(reading, "census", reading.census_interval_seconds)
        return _json(responses.census(reading.census, reading))

    def _get_verdict(self, _request: Request) -> Response:
        reading = self._source.reading()
        if reading.verdict is None:
            raise _not_yet(reading, "verdict", reading.census_interval_seconds)
        return _json(responses.verdict(reading.verdict, reading.alert))

    def _get_snapshots(self, request: Request) -> Response:
        return _json(responses.snapshots(self._shown_snapshots(request), request.root_path))

    def _get_snapshot(self, request: Request, id: str) -> Response:
        return _json(self._progress(self._source.snapshots.state(id), request))

    def _get_snapshot_file(self, request: Request, id: str) -> Response:
        info, file = self._source.snapshots.store.open_file(id)
        response = Response(
            wrap_file(request.environ, file), mimetype="application/octet-stream", direct_passthrough=True
        )
        response.content_length = info.bytes
        response.last_modified = datetime.fromtimestamp(in_calendar(info.taken_at), UTC)
        response.headers.set("Content-Disposition", "attachment", filename=info.path.name)
        try:
            response.make_conditional(request.environ, accept_ranges=True, complete_length=info.bytes)
        except RequestedRangeNotSatisfiable:
            file.close()
            raise
        return response

    def _get_snapshot_report(self, request: Request, id: str) -> Response:
        file = self._source.snapshots.store.open_page(id)
        response = Response(wrap_file(request.environ, file), mimetype="text/html", direct_passthrough=True)
        response.content_length = os.fstat(file.fileno()).st_size
        response.headers["Content-Security-Policy"] = REPORT_POLICY
        return response

    def _shown_snapshots(self, request: Request) -> ShownSnapshots:
        return shown_snapshots(request, self._source.snapshots.store.list(), service_name())

    def _post_snapshot(self, request: Request) -> Response:
        wait = request.query.get("wait", "1")
        if wait not in ("0", "1"):
            raise Problem(
                HTTPStatus.BAD_REQUEST,
                "wait must be 0 (answer at once) or 1 (answer once the snapshot is written)",
            )
        reason, snapshots = _requested_reason(request), self._source.snapshots
        if wait == "0":
            found, status = snapshots.state(snapshots.reserve(reason)), HTTPStatus.ACCEPTED
        else:
            found, status = snapshots.state(snapshots.take(reason, limit_bursts=True).id), HTTPStatus.CREATED
        document = self._progress(found, request)
        return _json(document, status, {"Location": document["url"]})

    def _progress(self, found: SnapshotProgress, request: Request) -> responses.Document:
        return responses.progress(found, self._source.snapshots.comparisons.state(found.id), request.root_path)

    def _snapshot_problem(self, error: SnapshotError) -> Problem:
        status = next(status for kind, status in STATUSES if isinstance(error, kind))
        if status is not HTTPStatus.TOO_MANY_REQUESTS:
            return Problem(status, str(error))
        return Problem(status, str(error), [("Retry-After", str(self._source.snapshots.retry_seconds))])


def _json(document: responses.Document, status: HTTPStatus = HTTPStatus.OK, headers: Headers | None = None) -> Response:
    return Response(json.dumps(document) + "\n", status, headers, content_type="application/json")


def _requested_reason(request: Request) -> str:
    """Return the reason for a snapshot from an HTTP request: from its query, else from a form or a JSON object.

    No other body is parsed.
    """
    if "reason" in request.query:
        return request.query["reason"]
    if not request.is_json:
        return request.form.get("reason", DEFAULT_REASON)
    try:
        document = parse_json(request.get_data(cache=False))
    except ValueError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the JSON body is not valid: {error}; {JSON_BODY}") from error
    reason = document.get("reason", DEFAULT_REASON) if isinstance(document, dict) else None
    if not isinstance(reason, str):
        raise Problem(HTTPStatus.BAD_REQUEST, f"the JSON body has no reason as a text; {JSON_BODY}")
    return reason


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


def _wrong_method(request: Request, error: MethodNotAllowed) -> Problem:
    allowed = ", ".join(sorted(error.valid_methods or ()))
    return Problem(
        HTTPStatus.METHOD_NOT_ALLOWED,
        f"{request.path} does not support {request.method}; use {allowed}",
        [("Allow", allowed)],
    )


def _http_problem(request: Request, error: HTTPException) -> Problem:
    if error.code == HTTPStatus.NOT_FOUND:
        return Problem(HTTPStatus.NOT_FOUND, f"there is no page {request.path}; {PAGES}")
    return Problem(HTTPStatus(error.code or 500), error.description or "")
