"""All JSON from outside goes through the one parser that bounds its depth."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "heap_exporter"
PARSERS = {"json.load", "json.loads", "json.JSONDecoder"}


def test_only_one_module_calls_the_parser_of_the_standard_library() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and (ast.unparse(node.func) in PARSERS or _parses_answer(node))
    }

    assert found == {"runtime/json_input.py"}


def _parses_answer(node: ast.Call) -> bool:
    """Return whether a call parses JSON in the way of werkzeug or of an HTTP library."""
    return isinstance(node.func, ast.Attribute) and node.func.attr in ("get_json", "json") and not node.args
