"""The pages of all processes that share a snapshot folder, as a WSGI application.

The metrics and the list of processes come from the pages that the processes publish: one that hangs costs nothing.
Only what a client asks of one process is asked of it, over its socket.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from heap_exporter.fleet.fleet_metrics import FleetMetrics
from heap_exporter.fleet.fleet_pages import FleetMember
from heap_exporter.fleet.own_process import OwnProcess
from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.threads import start_thread
from heap_exporter.snapshot.budget import Budget
from heap_exporter.web import fleet_documents, responses
from heap_exporter.web.app import App, created_response
from heap_exporter.web.guarded_app import GuardedApp, metrics_response
from heap_exporter.web.peers import Peers
from heap_exporter.web.problem import Problem
from heap_exporter.web.process_choice import choose, named
from heap_exporter.web.request import Request
from heap_exporter.web.response import Response, json_response

if TYPE_CHECKING:
    from heap_exporter.web.alert_receiver import AlertReceiver, ReceivedAlert

FROM_THE_FOLDER = ("/snapshots",)
"""The beginning of paths that every process answers alike, because all share the folder."""


class FleetApp(GuardedApp):
    """The pages of a fleet. ``own_app`` has those of this process, which is a member if ``own`` is not ``None``.

    ``trust_loopback`` is that of :class:`~heap_exporter.web.auth.Gate`.
    """

    def __init__(
        self, own_app: App, own: OwnProcess | None, metrics: FleetMetrics, peers: Peers, budget: Budget, *,
        token: str, trust_loopback: bool,
    ) -> None:  # fmt: skip  # in one line each, there would be ten
        super().__init__(token, trust_loopback=trust_loopback)
        self._own_app = own_app
        self._own = own
        self._metrics = metrics
        self._peers = peers
        self._budget = budget
        self._alerts: AlertReceiver | None = None
        self._taking_all: threading.Thread | None = None

    def respond(self, request: Request) -> Response:
        """Return the answer of the fleet to a request that is allowed. Raises :class:`Problem`."""
        if request.path.startswith("/processes/"):
            each, path = self._named_in_path(request.path.removeprefix("/processes/"))
            return self._page_of(each, request.below(fleet_documents.folder_of(each), path))
        answer = self._answers().get((request.path, "GET" if request.method == "HEAD" else request.method))
        return answer(request) if answer else self._page_of_one(request)

    def _answers(self) -> Mapping[tuple[str, str], Callable[[Request], Response]]:
        return {
            ("/metrics", "GET"): self._get_metrics,
            ("/verdict", "GET"): self._get_verdict,
            ("/processes", "GET"): self._get_processes,
            ("/sd", "GET"): self._get_targets,
            ("/-/ready", "GET"): self._get_ready,
            ("/snapshots", "POST"): self._post_snapshot,
            ("/-/alertmanager", "POST"): self._post_alerts,
        }

    def _get_metrics(self, request: Request) -> Response:
        accept, worker = request.header("Accept"), request.query().get("worker")
        if worker is None:
            return metrics_response(request, *self._metrics.render(accept))
        each = self._named(worker)
        return metrics_response(request, *self._metrics.render_members(accept, [each]))

    def _get_processes(self, request: Request) -> Response:
        found = fleet_documents.processes(self._metrics.members(), request.root_path)
        return json_response({"processes": found})

    def _get_targets(self, request: Request) -> Response:
        """Return the list of HTTP service discovery of Prometheus: each process as a target of its own."""
        targets = [
            {
                "targets": [request.header("Host")],
                "labels": {
                    "__metrics_path__": f"{request.root_path}{fleet_documents.folder_of(each)}/metrics",
                    "service": each.member.service,
                    "worker": each.member.worker,
                },
            }
            for each in self._metrics.members()
        ]
        return json_response(targets)

    def _get_ready(self, _request: Request) -> Response:
        count = len(self._metrics.members())
        if not count:
            detail = "no process has published its metrics yet; start a service with the same snapshot folder"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail)
        return json_response({"status": "ready", "processes": count})

    def _get_verdict(self, request: Request) -> Response:
        """Return the verdict of the worst process, and what all processes leak."""
        worker = request.query().get("worker")
        if worker is not None:
            return json_response(self._verdict_of(self._named(worker), request))
        found = self._metrics.members()
        if not found:
            return self._own_app.respond(request)
        document = self._verdict_of(max(found, key=fleet_documents.badness), request)
        members = [{**fleet_documents.identity(each), "state": each.verdict.state} for each in found]
        return json_response({**document, "leaks": fleet_documents.leaks(found), "processes": members})

    def _verdict_of(self, each: FleetMember, request: Request) -> responses.Document:
        """Return the verdict of one process as JSON; only what it has published if it does not answer.

        Raises :class:`Problem` if it has none yet.
        """
        if self._is_own(each):
            document = self._own_app.verdict()
        else:
            try:
                document = self._peers.document(each, request, "GET", "/verdict")[0]
            except Problem as problem:
                if problem.status is not HTTPStatus.GATEWAY_TIMEOUT:
                    raise
                document = asdict(each.verdict)
        return {**document, **fleet_documents.identity(each)}

    def _post_snapshot(self, request: Request) -> Response:
        """Have the processes that the request names, or else the fastest growing one, take a snapshot."""
        found = self._metrics.members()
        chosen = choose(request.query(), found, self._own_service())
        if not found:
            return self._own_app.respond(request)
        if len(chosen) == 1:
            return created_response(*self._order(chosen[0], request))
        return self._order_all(chosen, request)

    def _post_alerts(self, request: Request) -> Response:
        """Order a snapshot of each process that an alert names; Alertmanager repeats what is not answered with 2xx."""
        with late_imports():
            from heap_exporter.web.alert_receiver import AlertReceiver, parse_alerts

        self._alerts = self._alerts or AlertReceiver(self._budget, self._metrics.alerts_received)
        alerts = parse_alerts(request.body())
        chosen = self._alerts.choose(alerts, self._metrics.members(), request.header("Host"))
        if chosen:
            start_thread("alert-snapshots", partial(self._order_for_alerts, chosen, request))
        taken = [{**fleet_documents.identity(each), "reason": alert.reason} for each, alert in chosen]
        return json_response({"alerts": len(alerts), "snapshots": taken}, HTTPStatus.ACCEPTED)

    def _order_for_alerts(self, chosen: Sequence[tuple[FleetMember, ReceivedAlert]], request: Request) -> None:
        for each, alert in chosen:
            self._order_in_turn([each], request.of_snapshot(alert.reason))

    def _order(self, each: FleetMember, request: Request) -> tuple[responses.Document, HTTPStatus]:
        """Return the JSON and the status of a snapshot of one process. Raises :class:`Problem`."""
        if self._is_own(each):
            document, status = self._own_app.order_snapshot(request)
        else:
            document, status = self._peers.order_snapshot(
                each, request.below(fleet_documents.folder_of(each), "/snapshots")
            )
        return {**document, **fleet_documents.identity(each)}, status

    def _order_all(self, chosen: Sequence[FleetMember], request: Request) -> Response:
        """Have some processes take a snapshot, one after the other, in the background. Raises :class:`Problem`."""
        if self._taking_all is not None and self._taking_all.is_alive():
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, "snapshots of all processes are being taken already")
        request.body()  # before the answer, after which the client may close the connection
        self._taking_all = start_thread("all-snapshots", partial(self._order_in_turn, chosen, request.without("wait")))
        identities = [fleet_documents.identity(each) for each in chosen]
        return json_response({"state": "running", "processes": identities}, HTTPStatus.ACCEPTED)

    def _order_in_turn(self, chosen: Sequence[FleetMember], request: Request) -> None:
        for each in chosen:
            try:
                self._order(each, request)
            except Problem as problem:
                log.warning("process %s took no snapshot: %s", each.id, problem.detail)

    def _page_of_one(self, request: Request) -> Response:
        """Return a page that shows one process: the one that the request names, else the own one, else any."""
        worker = request.query().get("worker")
        if worker is not None:
            each = self._named(worker)
            return self._page_of(each, request.below(fleet_documents.folder_of(each), request.path))
        if self._own is not None:
            return self._own_app.respond(request)
        if request.path.startswith(FROM_THE_FOLDER):
            return self._own_app.respond(request.with_default("all", "true"))
        found = self._metrics.members()
        if not found:
            return self._own_app.respond(request)
        each = choose({}, found, "")[0]
        return self._page_of(each, request.below(fleet_documents.folder_of(each), request.path))

    def _page_of(self, each: FleetMember, request: Request) -> Response:
        """Return a page of one process, at a path that the process has. Raises :class:`Problem`."""
        if self._is_own(each) or request.path.endswith(("/file", "/report")):  # the folder has these
            return self._own_app.respond(request)
        if (request.method, request.path) == ("POST", "/snapshots"):
            return created_response(*self._peers.order_snapshot(each, request))
        return self._peers.page(each, request)

    def _named_in_path(self, path: str) -> tuple[FleetMember, str]:
        """Return the process and its page in a path below ``/processes/``. Raises :class:`Problem`."""
        found = self._metrics.members()
        for each in found:  # the name of a service may have a slash
            if f"{path}/".startswith(f"{each.id}/"):
                return each, path.removeprefix(each.id) or "/"
        worker, _, page = path.partition("/")
        return named(worker, found, self._own_service()), f"/{page}"

    def _named(self, worker: str) -> FleetMember:
        return named(worker, self._metrics.members(), self._own_service())

    def _own_service(self) -> str:
        member = self._own.member if self._own else None
        return member.service if member else ""

    def _is_own(self, each: FleetMember) -> bool:
        return self._own is not None and each.member == self._own.member
