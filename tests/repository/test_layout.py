"""The layout of the tests: tests/unit starts no process and mounts no file system."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[1] / "unit"
FORBIDDEN_MODULES = {
    "multiprocessing", "subprocess", "tests.heaps.kernel_process", "tests.processes", "tests.servers.running",
}  # fmt: skip  # a list
FORBIDDEN_CALLS = {"os.fork", "os.forkpty", "os.posix_spawn", "os.posix_spawnp", "os.popen", "os.system"}


def _imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def _called(tree: ast.AST) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import subprocess", True),
        ("from multiprocessing import Process", True),
        ("from tests.processes.programs import program", True),
        ("os.fork()", True),
        ("import os, threading", False),
    ],
)
def test_a_process_is_recognised(code: str, found: bool) -> None:
    assert bool(_processes(ast.parse(code))) is found


def _processes(tree: ast.AST) -> set[str]:
    modules = {name for name in _imported(tree) if {name, *_parents(name)} & FORBIDDEN_MODULES}
    return modules | (_called(tree) & FORBIDDEN_CALLS)


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def test_unit_tests_start_no_process_and_mount_nothing() -> None:
    found = {}
    for path in sorted(UNIT.rglob("*.py")):
        tree = ast.parse(path.read_text())
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value == "mount"}
        if reasons := _processes(tree) | texts:
            found[path.relative_to(UNIT).as_posix()] = reasons

    assert found == {}
