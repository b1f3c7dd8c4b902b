"""Recognises what pytest and its plugins hold, such as log records and captured output: no leak of the scenario."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import PurePath

from heap_exporter.model.paths import Step, StepKind

RECORDED_WARNINGS = ("warnings", "_showwarnmsg_impl")
"""Where ``warnings.catch_warnings(record=True)`` puts the method that records, and with it the list of warnings."""


class TestTools:
    """The modules of pytest and of the plugins that are loaded, and of the tool that traces the tests."""

    __test__ = False

    def __init__(self, plugins: Iterable[object]) -> None:
        modules = {"_pytest", "pytest", "pluggy", type(sys.gettrace()).__module__.partition(".")[0]}
        for plugin in plugins:
            modules |= _modules_of(plugin)
        self._prefixes = tuple(f"{name}." for name in sorted(modules - {"builtins"}))

    def hold(self, step: Step, type_name: str) -> bool:
        """Return whether an object belongs to a tool, by the step to it and its type."""
        names = [type_name, step.owner_type]
        names += [step.name] if step.kind is StepKind.MODULE else []
        is_recorder = (step.owner_type, step.name) == RECORDED_WARNINGS
        return is_recorder or any(f"{name}.".startswith(self._prefixes) for name in names)


def _modules_of(plugin: object) -> set[str]:
    """Return the module that defines a plugin, with its package if that is named after pytest; no ``conftest.py``."""
    name = getattr(plugin, "__name__", None) or type(plugin).__module__
    file = getattr(sys.modules.get(name), "__file__", None) or ""
    if PurePath(file).name == "conftest.py":
        return set()
    package = name.partition(".")[0]
    return {package if "pytest" in package else name}
