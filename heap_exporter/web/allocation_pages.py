"""The HTTP routes of the sampled allocations: JSON, and profiles for ``go tool pprof`` and continuous profilers."""

from __future__ import annotations

import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from heap_exporter.allocations import AllocationSampler, growth_by_line
from heap_exporter.errors import AllocationsUnavailable
from heap_exporter.model import AllocationHooks, AllocationProfile
from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.web.problem import Problem
from heap_exporter.web.request import Request
from heap_exporter.web.response import Response, json_response

if TYPE_CHECKING:
    from heap_exporter.report.allocation_pprof import AllocationPprof

MAX_SECONDS = 60
PROFILES = "heap: memory that is not freed; with ?seconds=30, its growth in that time\nallocs: all allocations\n"


class AllocationPages:
    """Answers the requests about allocations. ``sampler`` is that of the process, which a fork replaces."""

    def __init__(self) -> None:
        self._encoding = threading.Lock()
        self._growing = threading.Lock()
        self._pprof: AllocationPprof | None = None

    def get(self, sampler: AllocationSampler, request: Request) -> Response:
        """Return the lines whose memory grew, and the stacks with most memory that is not freed, as JSON."""
        with late_imports():
            from heap_exporter.report.allocation_documents import profile_document

        before, profile = self._read(sampler, request)
        return json_response(profile_document(profile, growth_by_line(profile, before)))

    def post(self, sampler: AllocationSampler, request: Request) -> Response:
        """Start or stop sampling, and return which hooks are installed then."""
        state = request.query().get("state")
        if state not in ("on", "off"):
            raise Problem(HTTPStatus.BAD_REQUEST, "add ?state=on to sample allocations, or ?state=off to stop")
        try:
            sampler.start() if state == "on" else sampler.stop()
        except AllocationsUnavailable as error:
            raise Problem(HTTPStatus.CONFLICT, str(error)) from error
        return json_response({"hooks": sampler.hooks})

    def index(self) -> Response:
        """Return which profiles there are."""
        return Response(PROFILES.encode(), "text/plain; charset=utf-8")

    def heap(self, sampler: AllocationSampler, request: Request) -> Response:
        """Return the memory that is not freed as a profile, or its growth in ``seconds``."""
        before, profile = self._read(sampler, request)
        return self._encoded(profile, "inuse_space", before)

    def allocs(self, sampler: AllocationSampler) -> Response:
        """Return all allocations as a profile."""
        return self._encoded(_profile(sampler), "alloc_space")

    def _read(self, sampler: AllocationSampler, request: Request) -> tuple[AllocationProfile | None, AllocationProfile]:
        """Return the profile of now, or for a request with ``seconds`` also the profile before that time."""
        profile, seconds = _profile(sampler), request.query().get("seconds")
        return (None, profile) if seconds is None else (profile, self._later(sampler, _seconds(seconds)))

    def _encoded(self, profile: AllocationProfile, default: str, before: AllocationProfile | None = None) -> Response:
        with self._encoding:
            if self._pprof is None:
                with late_imports():
                    from heap_exporter.report.allocation_pprof import AllocationPprof

                self._pprof = AllocationPprof()
            body = self._pprof.encode(profile, default, before)
        return Response(body, "application/octet-stream")

    def _later(self, sampler: AllocationSampler, seconds: int) -> AllocationProfile:
        """Return the profile some seconds from now. One request waits at a time: others need the threads too."""
        if not self._growing.acquire(blocking=False):
            detail = "another request waits for the growth of some seconds; try again later"
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, [("Retry-After", str(seconds))])
        try:
            time.sleep(seconds)
        finally:
            self._growing.release()
        return _profile(sampler)


def _profile(sampler: AllocationSampler) -> AllocationProfile:
    """Return the profile of now. Raises :class:`Problem` while allocations are not sampled."""
    profile = sampler.profile()
    if profile is None or profile.hooks is AllocationHooks.DISPLACED:
        detail = (
            "allocations are not sampled now; to start, send POST /allocations?state=on, or set "
            "HEAP_EXPORTER_ALLOCATIONS=always in the service"
        )
        raise Problem(HTTPStatus.CONFLICT, detail)
    return profile


def _seconds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_SECONDS:
        raise Problem(HTTPStatus.BAD_REQUEST, f"seconds must be a whole number from 1 to {MAX_SECONDS}")
    return int(text)
