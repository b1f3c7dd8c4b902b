"""Repeats a scenario within a test, and fails the test with what the scenario leaks."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from fnmatch import fnmatchcase

import pytest

from heap_exporter.analysis.repeated_growth import FoundLeak
from heap_exporter.leak_check.leak_check import REPEATS, WARMUPS, LeakCheck
from heap_exporter.pytest_plugin.artifacts import keep_artifacts
from heap_exporter.pytest_plugin.leak_summary import KNOWN, PROPERTY, ReportedLeak
from heap_exporter.pytest_plugin.test_tools import TestTools
from heap_exporter.report.leak_check_text import growth_text, leaks_text
from heap_exporter.report.path_text import path_text


class HeapLeaks:
    """The fixture ``heap_leaks``: repeats a scenario within a test, which fails if the scenario leaks.

    ``warmups`` is the number of repetitions before the first snapshot, ``repeats`` the number between the first and the
    second one; before each further snapshot it is three times as many. A leak is ignored if its holder or its type
    matches a pattern of ``ignore`` (``shop.CACHE*``), or if its fingerprint is one of them.
    """

    def __init__(self, item: pytest.Item) -> None:
        self._item = item
        self._collector_was_on = gc.isenabled()

    def check(
        self,
        function: Callable[[], object],
        *,
        warmups: int = WARMUPS,
        repeats: int = REPEATS,
        ignore: str | Collection[str] = (),
    ) -> None:
        """Call a function again and again until its growth stops or is proven; fail the test if it leaks."""
        for _ in self.repetitions(warmups=warmups, repeats=repeats, ignore=ignore):
            function()

    def repetitions(
        self, *, warmups: int = WARMUPS, repeats: int = REPEATS, ignore: str | Collection[str] = ()
    ) -> Iterator[int]:
        """Yield once for each repetition, as :meth:`check` calls a function; the loop's body may ``await``."""
        with self._checked(ignore, warmups, repeats) as check:
            yield from check.repetitions()

    @contextmanager
    def __call__(self, *, ignore: str | Collection[str] = ()) -> Iterator[None]:
        """Fail the test if its block leaks: the block repeats the scenario itself, a few hundred times.

        What the block creates and then fills is no leak, and neither are ten objects: what counts is what a service
        would report for the two snapshots around the block.
        """
        with self._checked(ignore) as check, check.block():
            yield

    @contextmanager
    def _checked(
        self, ignore: str | Collection[str], warmups: int = WARMUPS, repeats: int = REPEATS
    ) -> Iterator[LeakCheck]:
        tools = TestTools(plugin for _, plugin in self._item.config.pluginmanager.list_name_plugin() if plugin)
        check = LeakCheck(tools.hold, warmups=warmups, repeats=repeats, collector_was_on=self._collector_was_on)
        with closing(check):
            yield check
            self._fail_with(check, (ignore,) if isinstance(ignore, str) else ignore)

    def _fail_with(self, check: LeakCheck, ignore: Collection[str]) -> None:
        known = self._item.config.stash[KNOWN]
        leaks = [found for found in check.leaks if not _is_ignored(found, ignore)]
        for found in leaks:
            reported = _reported(found, is_known=found.suspect.fingerprint in known)
            self._item.user_properties.append((PROPERTY, json.dumps(asdict(reported), ensure_ascii=False)))
        new = [found for found in leaks if found.suspect.fingerprint not in known]
        if new:
            kept = keep_artifacts(self._item, check, new)
            pytest.fail(f"{leaks_text(new, check.total_repetitions)}\n\n{kept}", pytrace=False)


def _reported(found: FoundLeak, *, is_known: bool) -> ReportedLeak:
    suspect = found.suspect
    holder = path_text(suspect.holder)
    return ReportedLeak(suspect.fingerprint, suspect.type_name, holder, growth_text(found), is_known)


def _is_ignored(found: FoundLeak, patterns: Collection[str]) -> bool:
    suspect = found.suspect
    names = (path_text(suspect.holder), suspect.type_name, suspect.fingerprint)
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
