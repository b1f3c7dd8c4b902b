"""The committed JSON is what the generator makes."""

from pathlib import Path

from dashboards import __main__ as generator
from dashboards.committed import FOLDER, dashboards, panels


def test_the_committed_files_are_what_the_generator_writes_byte_for_byte(tmp_path: Path) -> None:
    generator.write(tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_bytes() for path in FOLDER.glob("*.json")}
    assert made == committed, "run `make dashboards` and commit what it changes"


def test_the_uids_that_links_and_bookmarks_hold_stay_as_they_are() -> None:
    assert set(dashboards()) == {"heap-exporter-overview", "heap-exporter-type-growth", "heap-exporter-health"}


def test_a_file_is_named_by_its_uid() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(dashboards())


def test_every_panel_has_a_number_of_its_own() -> None:
    for dashboard in dashboards().values():
        numbers = [panel["id"] for panel in dashboard["panels"]]
        assert sorted(set(numbers)) == sorted(numbers)


def test_no_panel_lies_on_another_or_off_the_grid() -> None:
    for dashboard in dashboards().values():
        taken: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert place["x"] + place["w"] <= 24, panel["title"]
            assert not cells & taken, panel["title"]
            taken |= cells


def test_siblings_are_linked_with_what_was_chosen_and_the_runbook_is_near() -> None:
    for dashboard in dashboards().values():
        siblings, runbook = dashboard["links"]
        assert siblings["type"] == "dashboards"
        assert set(siblings["tags"]) <= set(dashboard["tags"])
        assert siblings["includeVars"]
        assert siblings["keepTime"]
        assert runbook["url"].endswith("/alerts/runbook.md")


def test_restarts_and_alerts_are_marked_on_every_dashboard() -> None:
    for dashboard in dashboards().values():
        assert [mark["name"] for mark in dashboard["annotations"]["list"]] == ["Restarts", "Alerts"]


def test_the_limit_is_drawn_dashed() -> None:
    (memory,) = [
        panel for panel in panels(dashboards()["heap-exporter-overview"]) if panel["title"] == "Memory and limit"
    ]
    (override,) = memory["fieldConfig"]["overrides"]
    (limit,) = [target for target in memory["targets"] if "python_heap_limit_bytes" in target["expr"]]
    assert override["matcher"] == {"id": "byRegexp", "options": "/ limit$/"}
    assert limit["legendFormat"].endswith(" limit")
    assert {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [10, 10]}} in override["properties"]


def test_a_dashboard_shows_the_hours_that_a_leak_takes() -> None:
    for dashboard in dashboards().values():
        assert dashboard["time"] == {"from": "now-6h", "to": "now"}
