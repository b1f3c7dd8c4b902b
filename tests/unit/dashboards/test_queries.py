"""The queries use metrics that exist, and every metric is on a dashboard."""

from dashboards.committed import EXPECTED_EMPTY, PanelQuery, panel_queries
from heap_exporter.fleet.fleet_families import FLEET_METRICS
from heap_exporter.metrics import METRICS
from tests.rows import failing
from tests.unit.dashboards.promql import selectors

OWN = {metric.name for metric in (*METRICS, *FLEET_METRICS)}

FOREIGN = {
    "up": "Prometheus adds it to every scrape",
    "scrape_duration_seconds": "Prometheus adds it to every scrape",
    "scrape_samples_scraped": "Prometheus adds it to every scrape",
    "ALERTS": "Prometheus adds it for every alert",
}

QUERIES = {f"{query.dashboard}/{query.panel}: {query.expr}": query for query in panel_queries()}


def metrics_of(query: PanelQuery) -> set[str]:
    return {selector.metric for selector in selectors(query)}


def test_every_metric_in_a_query_exists() -> None:
    assert failing(QUERIES, lambda query: metrics_of(query) <= OWN | set(FOREIGN)) == []


def test_every_listed_foreign_metric_is_used() -> None:
    assert set(FOREIGN) <= set().union(*map(metrics_of, panel_queries()))


def test_every_defined_metric_is_on_a_dashboard() -> None:
    assert set() == OWN - set().union(*map(metrics_of, panel_queries()))


def test_no_variable_of_grafana_is_left_after_substitution() -> None:
    assert failing(QUERIES, lambda query: "$" not in query.substituted()) == []


def test_no_query_averages_over_processes() -> None:
    assert [query for query in panel_queries() if "avg" in query.expr] == []


def test_every_reason_for_an_empty_result_belongs_to_a_query() -> None:
    exprs = [query.expr for query in panel_queries()]
    assert [part for part in EXPECTED_EMPTY if not any(part in expr for expr in exprs)] == []


def test_queries_of_metrics_that_every_process_has_must_not_be_empty() -> None:
    answered = {query.panel for query in panel_queries() if query.why_empty is None}
    assert {
        "Memory and limit",
        "Memory by owner, worker $worker",
        "Types by growth",
        "Duration of a sample",
    } <= answered
