"""Only report/, web/, cli/ and notify/ make sentences; the packages before them pass typed values on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "heap_exporter"
TYPED_PACKAGES = ("model", "detection", "analysis", "investigation")
RECOGNISES_NAMES = PACKAGE / "model" / "runtime_names.py"
"""The one module that may match text: it recognises names that a program makes at run time."""

MODULES = sorted(path for package in TYPED_PACKAGES for path in (PACKAGE / package).rglob("*.py"))

_SENTENCE = re.compile(r"[a-z]{2,} [a-z]{2,}")
_LOGGERS = ("log", "logging")


def sentences(tree: ast.AST) -> Iterator[str]:
    """Yield the texts with two words in a row, except docstrings and the texts of log records and exceptions."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.Raise) or _is_docstring(child) or _makes_exception_or_record(child):
            continue
        if isinstance(child, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in child.values)
            if _SENTENCE.search(text):
                yield text
            continue
        if isinstance(child, ast.Constant) and isinstance(child.value, str) and _SENTENCE.search(child.value):
            yield child.value
        yield from sentences(child)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _makes_exception_or_record(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    if isinstance(called, ast.Attribute):
        return isinstance(called.value, ast.Name) and called.value.id in _LOGGERS
    return isinstance(called, ast.Name) and called.id.endswith("Error")


def imported(tree: ast.AST) -> set[str]:
    """Return the names of the modules that a module imports."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("package", TYPED_PACKAGES)
def test_no_module_makes_a_sentence(package: str) -> None:
    found = {
        str(path.relative_to(PACKAGE)): list(sentences(ast.parse(path.read_text(encoding="utf-8"))))
        for path in MODULES
        if path.is_relative_to(PACKAGE / package)
    }

    assert {name: texts for name, texts in found.items() if texts} == {}


def test_no_module_matches_text_except_the_one_that_recognises_names() -> None:
    found = [path for path in MODULES if "re" in imported(ast.parse(path.read_text(encoding="utf-8")))]

    assert found == [RECOGNISES_NAMES]


def test_no_typed_value_imports_a_module_that_makes_text() -> None:
    makers = ("heap_exporter.report", "heap_exporter.web", "heap_exporter.cli", "heap_exporter.notify")
    found = {
        str(path.relative_to(PACKAGE)): name
        for path in MODULES
        if not path.is_relative_to(PACKAGE / "investigation")  # its log records show findings
        for name in imported(ast.parse(path.read_text(encoding="utf-8")))
        if name.startswith(makers)
    }

    assert found == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('x = "two words"', ["two words"]),
        ('x = f"grew by {n}"', ["grew by …"]),
        ('def f():\n    """A docstring of two words."""', []),
        ('log.info("two words")', []),
        ('raise ValueError("two words")', []),
        ('return_value = SnapshotError("two words")', []),
        ('x = "dict-value"', []),
    ],
)
def test_a_sentence_is_recognised(source: str, found: list[str]) -> None:
    assert list(sentences(ast.parse(source))) == found
