"""Members of a fleet, with pages of chosen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from heap_exporter.fleet.fleet_pages import FleetMember
from heap_exporter.fleet.member_page import MemberPage, VerdictInShort
from heap_exporter.metrics import LabelledValue
from heap_exporter.model import Member, State

NOW = 1_790_000_000.0


def member(worker: int, service: str = "shop", pid: int | None = None) -> Member:
    """Return a process of a service; its pid is 100 and its number unless another one is given."""
    number = 100 + worker if pid is None else pid
    return Member(service, str(worker), number, (1,), NOW - 60, "boot", "web-1", "3.11.7", "app.py", 0)


def fleet_member(
    worker: int,
    service: str = "shop",
    *,
    state: State = State.STEADY,
    slope: float | None = None,
    recent: float | None = None,
    rss: float = 1e6,
    headroom: float | None = None,
    group: int | None = None,
    fingerprint: str | None = None,
    values: Mapping[str, Sequence[LabelledValue]] | None = None,
) -> FleetMember:
    """Return a member with a page that was just published; slopes are in bytes/s, sizes in bytes."""
    verdict = VerdictInShort(state, None, slope, None, fingerprint, "shop.Session")
    found = {"python_heap_resident_bytes": [((), rss)], **(values or {})}
    own = member(worker, service)
    return FleetMember(
        own, MemberPage(own.pid, 9465, NOW - 60, NOW, 15.0, False, verdict, recent, headroom, group, found)
    )
