"""The common parts of all dashboards: menus, links to each other and to the runbook, annotations."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as models

from dashboards import queries
from dashboards.panels import DATASOURCE
from heap_exporter.alerting.rule_file import RUNBOOK

TAG = "heap-exporter"
ALL = models.VariableOption(selected=True, text=["All"], value=["$__all"])


def framed(uid: str, title: str, description: str) -> dashboard.Dashboard:
    """Return a dashboard without panels; ``uid`` is also the name of its file and must not change."""
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG, "python", "memory", "prometheus"])
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .timezone("browser")
        # Leaks show over hours.
        .time("now-6h", "now")
        .refresh("1m")
        .with_variable(_datasource_menu())
        .with_variable(menu("job", "Job", queries.JOBS))
        .with_variable(menu("instance", "Instance", queries.INSTANCES))
        .with_variable(menu("service", "Service", queries.SERVICES))
        .with_variable(menu("worker", "Worker", queries.WORKERS))
        .annotation(_mark("Restarts", queries.RESTARTS, "blue"))
        .annotation(_mark("Alerts", queries.FIRING_ALERTS, "red"))
        .link(_other_dashboards())
        .link(_runbook())
    )


def menu(name: str, label: str, query: str) -> dashboard.QueryVariable:
    """Return a variable with multiple values from ``query``, at first all of them."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query({"query": query, "refId": f"{name}-menu"})
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(ALL)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )


def _datasource_menu() -> dashboard.DatasourceVariable:
    return dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")


def _mark(name: str, expr: str, color: str) -> dashboard.AnnotationQuery:
    return dashboard.AnnotationQuery().name(name).datasource(DATASOURCE).enable(True).expr(expr).icon_color(color)


def _other_dashboards() -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink("Heap exporter")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .icon("dashboard")
        .tooltip("The other dashboards, with the same processes")
        .include_vars(True)
        .keep_time(True)
    )


def _runbook() -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink("Runbook")
        .type(models.DashboardLinkType.LINK)
        .url(RUNBOOK)
        .icon("doc")
        .tooltip("The meaning of each alert, and what to do")
        .target_blank(True)
    )
