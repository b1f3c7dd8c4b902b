"""Which process of a fleet a request is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from heap_exporter.fleet.fleet_pages import FleetMember
from heap_exporter.web.fleet_documents import resident_bytes
from heap_exporter.web.problem import Problem

FASTEST_GROWING, LARGEST, SUSPECTED, ALL = "fastest-growing", "largest", "suspected", "all"
CHOICES = (FASTEST_GROWING, LARGEST, SUSPECTED, ALL)
"""The values of ``which`` in a request for a snapshot."""


def named(worker: str, found: Sequence[FleetMember], service: str) -> FleetMember:
    """Return the process with a name such as ``shop-3``, or with a number.

    A number that several services have is one of ``service``. Raises :class:`Problem` if there is none.
    """
    matching = [each for each in found if worker in (each.id, each.member.worker)]
    own = [each for each in matching if each.member.service == service]
    exact = [each for each in matching if each.id == worker]
    if len(chosen := exact or own or matching) == 1:
        return chosen[0]
    problem = f"several services have a process {worker}" if matching else f"there is no process {worker}"
    raise Problem(HTTPStatus.NOT_FOUND, f"{problem}; {_those_there_are(found)}")


def choose(query: Mapping[str, str], found: Sequence[FleetMember], service: str) -> Sequence[FleetMember]:
    """Return the processes that the parameters ``worker``, ``pid`` or ``which`` of a request name.

    Without one of them that is the process that grows fastest. Raises :class:`Problem`.
    """
    given = [name for name in ("worker", "pid", "which") if name in query]
    if len(given) > 1:
        raise Problem(HTTPStatus.BAD_REQUEST, f"give only one of {', '.join(given)}")
    if "worker" in query:
        return [named(query["worker"], found, service)]
    if "pid" in query:
        return [_with_pid(query["pid"], found)]
    return _which(query.get("which", FASTEST_GROWING), found)


def _which(which: str, found: Sequence[FleetMember]) -> Sequence[FleetMember]:
    if which == ALL:
        return found
    if which == LARGEST:
        return [max(found, key=resident_bytes)] if found else []
    if which == FASTEST_GROWING:
        return [max(found, key=_speed)] if found else []
    if which == SUSPECTED:
        suspects = [each for each in found if each.is_suspected]
        if not suspects:
            raise Problem(HTTPStatus.NOT_FOUND, "no process is suspected of a leak")
        return [max(suspects, key=_speed)]
    raise Problem(HTTPStatus.BAD_REQUEST, f"which must be {', '.join(CHOICES[:-1])} or {CHOICES[-1]}")


def _with_pid(pid: str, found: Sequence[FleetMember]) -> FleetMember:
    matching = [each for each in found if str(each.member.pid) == pid]
    if len(matching) == 1:
        return matching[0]
    problem = f"several containers have a process with pid {pid}" if matching else f"there is no process with pid {pid}"
    raise Problem(HTTPStatus.NOT_FOUND, f"{problem}; {_those_there_are(found)}")


def _speed(each: FleetMember) -> tuple[float, float]:
    return each.growth_bytes_per_second, resident_bytes(each)


def _those_there_are(found: Sequence[FleetMember]) -> str:
    names = [f"{each.id} (pid {each.member.pid})" for each in found]
    return f"the processes are {', '.join(names)}" if names else "there are no processes"
