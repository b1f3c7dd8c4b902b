"""The selectors of a PromQL expression."""

from __future__ import annotations

from dataclasses import dataclass

import promql_parser

from dashboards.committed import PanelQuery

RATE_INTERVAL_SECONDS = 61.0
"""Replaces `$__rate_interval`; no query uses this value itself."""


@dataclass(frozen=True)
class Selector:
    """A metric, its matchers as (label, operator, value), and the functions around it, the innermost last."""

    metric: str
    matchers: frozenset[tuple[str, str, str]]
    functions: tuple[str, ...]
    range_seconds: float | None


def selectors(query: PanelQuery) -> list[Selector]:
    """Return all selectors of a query; of the variables of Grafana, only the intervals are replaced."""
    expr = query.expr.replace("$__rate_interval", f"{RATE_INTERVAL_SECONDS:g}s").replace("$__range", "3601s")
    found: list[Selector] = []
    functions: list[str] = []
    ranges: list[float] = []

    def enter(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.Call):
            functions.append(node.func.name)
        elif isinstance(node, promql_parser.MatrixSelector):
            ranges.append(node.range.total_seconds())
        elif isinstance(node, promql_parser.VectorSelector):
            found.append(_selector(node, functions, ranges[-1] if ranges else None))

    def leave(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.Call):
            functions.pop()
        elif isinstance(node, promql_parser.MatrixSelector):
            ranges.pop()

    promql_parser.walk(promql_parser.parse(expr), enter, leave)
    return found


def _selector(node: promql_parser.VectorSelector, functions: list[str], range_seconds: float | None) -> Selector:
    operators = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
    matchers = frozenset(
        (matcher.name, operators[str(matcher.op).removeprefix("MatchOp.")], matcher.value)
        for matcher in node.matchers.matchers
    )
    assert node.name is not None, "a selector without a metric"
    return Selector(node.name, matchers, tuple(functions), range_seconds)
