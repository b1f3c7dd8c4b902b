"""Profiles of allocations in the pprof format, as Go programs serve them: for ``go tool pprof``, Pyroscope and Parca.

The values of a sample are those of Go, in Go's order. A continuous profiler reads a profile every few seconds, and
most stacks do not change in between: what was encoded is kept until the hooks are installed again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from heap_exporter.model import AllocationProfile, AllocationSite, CodeLine
from heap_exporter.report.pprof_messages import (
    DEFAULT_SAMPLE_TYPE,
    DURATION,
    FUNCTION,
    LINES_OF_LOCATION,
    LOCATION,
    NANOSECONDS,
    PERIOD,
    PERIOD_TYPE,
    SAMPLE,
    SAMPLE_TYPE,
    TIME,
    StringTable,
    message_field,
    number_field,
    packed_field,
    string_fields,
    unix_nanoseconds,
    value_type,
)

SAMPLE_TYPES = (
    ("alloc_objects", "count"),
    ("alloc_space", "bytes"),
    ("inuse_objects", "count"),
    ("inuse_space", "bytes"),
)
LIVE, ALLOCATED = "inuse_space", "alloc_space"
"""The values that a reader shows first: of what is not freed, or of all allocations."""

GZIP_FORMAT = 31
"""The ``wbits`` of zlib for the format of gzip."""

GZIP_LEVEL = 1


class AllocationPprof:
    """Encodes the profiles of one process. Not for several threads at once."""

    def __init__(self) -> None:
        self._reset(0.0)

    def encode(self, profile: AllocationProfile, default: str, before: AllocationProfile | None = None) -> bytes:
        """Return a profile, or its difference to the one ``before``, with ``default`` as the value to show first."""
        if profile.started_at != self._started_at:
            self._reset(profile.started_at)
        samples = [self._sample(site) for site in profile.sites] if before is None else self._growth(profile, before)
        strings = self._strings
        began_at = before.taken_at if before else profile.started_at
        parts = (
            *(message_field(SAMPLE_TYPE, value_type(strings[kind], strings[unit])) for kind, unit in SAMPLE_TYPES),
            *samples,
            *self._tables,
            number_field(TIME, unix_nanoseconds(began_at)),
            number_field(DURATION, int(max(profile.taken_at - began_at, 0.0) * NANOSECONDS)),
            message_field(PERIOD_TYPE, value_type(strings["space"], strings["bytes"])),
            number_field(PERIOD, profile.interval_bytes),
            number_field(DEFAULT_SAMPLE_TYPE, strings[default]),
            string_fields(strings),
        )
        return zlib.compress(b"".join(parts), GZIP_LEVEL, wbits=GZIP_FORMAT)

    def _reset(self, started_at: float) -> None:
        """Forget what was encoded: stacks have numbers of their own after each installation of the hooks."""
        self._started_at = started_at
        self._strings = StringTable({"": 0})
        self._tables: list[bytes] = []
        self._functions: dict[tuple[str, str], int] = {}
        self._locations: dict[CodeLine, int] = {}
        self._stacks: dict[int, bytes] = {}
        self._samples: dict[int, tuple[AllocationSite, bytes]] = {}

    def _sample(self, site: AllocationSite) -> bytes:
        known = self._samples.get(site.stack)
        if known and known[0] is site:
            return known[1]
        values = (site.allocated_objects, site.allocated_bytes, site.live_objects, site.live_bytes)
        encoded = self._encode_sample(site, values)
        self._samples[site.stack] = (site, encoded)
        return encoded

    def _growth(self, profile: AllocationProfile, before: AllocationProfile) -> Iterator[bytes]:
        known = {site.stack: site for site in before.sites} if before.started_at == profile.started_at else {}
        for site in profile.sites:
            earlier = known.get(site.stack) or AllocationSite(site.stack, site.calls, 0, 0, 0, 0, 0)
            values = (
                site.allocated_objects - earlier.allocated_objects,
                site.allocated_bytes - earlier.allocated_bytes,
                site.live_objects - earlier.live_objects,
                site.live_bytes - earlier.live_bytes,
            )
            if any(values):
                yield self._encode_sample(site, values)

    def _encode_sample(self, site: AllocationSite, values: Iterable[float]) -> bytes:
        stack = self._stacks.get(site.stack)
        if stack is None:
            stack = self._stacks[site.stack] = packed_field(1, [self._location(call) for call in site.calls])
        return message_field(SAMPLE, stack + packed_field(2, map(round, values)))

    def _location(self, line: CodeLine) -> int:
        known = self._locations.get(line)
        if known is not None:
            return known
        number = self._locations[line] = len(self._locations) + 1
        lines = number_field(1, self._function(line)) + number_field(2, max(line.line, 0))
        self._tables.append(message_field(LOCATION, number_field(1, number) + message_field(LINES_OF_LOCATION, lines)))
        return number

    def _function(self, line: CodeLine) -> int:
        """Return the number of a function. It gets no system name: with one, pprof shows ``<module>`` as unknown."""
        key = (line.file, line.function)
        known = self._functions.get(key)
        if known is not None:
            return known
        number = self._functions[key] = len(self._functions) + 1
        name, file = self._strings[line.function], self._strings[line.file]
        self._tables.append(
            message_field(FUNCTION, number_field(1, number) + number_field(2, name) + number_field(4, file))
        )
        return number
