"""Which snapshots of the folder the HTTP pages show: those of the own service, or all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from heap_exporter.model import SnapshotInfo
from heap_exporter.web.problem import Problem
from heap_exporter.web.request import Request

_CHOICES = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class ShownSnapshots:
    """The snapshots that a request shows, newest first.

    ``others`` is how many snapshots of other services are left out; with ``is_all`` none are. A snapshot of an older
    release has no service, so it counts as one of another service.
    """

    infos: Sequence[SnapshotInfo]
    service: str
    others: int = 0
    is_all: bool = False


def shown_snapshots(request: Request, infos: Sequence[SnapshotInfo], service: str) -> ShownSnapshots:
    """Return which snapshots a request shows: those of ``service``, or all with ``?all=true``.

    Raises :class:`Problem` for another value of ``all``.
    """
    is_all = _CHOICES.get(request.query().get("all", "false"))
    if is_all is None:
        detail = "all must be true (the snapshots of all services) or false (only those of this service)"
        raise Problem(HTTPStatus.BAD_REQUEST, detail)
    own = [info for info in infos if is_all or info.service == service]
    return ShownSnapshots(own, service, len(infos) - len(own), is_all)
