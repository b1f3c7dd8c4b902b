"""The queries ask for metrics that exist, and every metric is on a picture."""

from dashboards.committed import EXPECTED_EMPTY, PanelQuery, panel_queries
from heap_exporter.metrics import METRICS
from tests.rows import failing
from tests.unit.dashboards.promql import selectors

OURS = {metric.name for metric in METRICS}

FOREIGN = {
    "up": "Prometheus makes it of every scrape",
    "scrape_duration_seconds": "Prometheus makes it of every scrape",
    "scrape_samples_scraped": "Prometheus makes it of every scrape",
    "ALERTS": "Prometheus makes it of every alert",
}

QUERIES = {f"{query.dashboard}/{query.panel}: {query.expr}": query for query in panel_queries()}


def asked(query: PanelQuery) -> set[str]:
    return {selector.metric for selector in selectors(query)}


def test_every_metric_in_a_query_exists() -> None:
    assert failing(QUERIES, lambda query: asked(query) <= OURS | set(FOREIGN)) == []


def test_no_foreign_metric_is_listed_in_vain() -> None:
    assert set(FOREIGN) <= set().union(*map(asked, panel_queries()))


def test_every_metric_of_the_catalogue_is_on_some_dashboard() -> None:
    assert set() == OURS - set().union(*map(asked, panel_queries()))


def test_no_variable_of_grafana_is_left_after_substitution() -> None:
    assert failing(QUERIES, lambda query: "$" not in query.substituted()) == []


def test_an_instance_is_never_hidden_in_an_average() -> None:
    assert [query for query in panel_queries() if "avg" in query.expr] == []


def test_every_reason_for_an_empty_answer_belongs_to_a_query() -> None:
    exprs = [query.expr for query in panel_queries()]
    assert [part for part in EXPECTED_EMPTY if not any(part in expr for expr in exprs)] == []


def test_a_query_of_what_every_process_has_must_have_an_answer() -> None:
    answered = {query.panel for query in panel_queries() if query.why_empty is None}
    assert {"Memory and limit", "Memory by owner, $instance", "Types by growth", "Time of a sample"} <= answered
