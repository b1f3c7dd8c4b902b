"""The committed JSON is the output of the generator."""

from pathlib import Path

from dashboards import __main__ as generator
from dashboards.committed import FOLDER, dashboards, panels


def test_the_committed_files_are_byte_for_byte_the_output_of_the_generator(tmp_path: Path) -> None:
    generator.write(tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_bytes() for path in FOLDER.glob("*.json")}
    assert made == committed, "run `make dashboards` and commit the changes"


def test_the_uids_in_links_and_bookmarks_do_not_change() -> None:
    assert set(dashboards()) == {"heap-exporter-overview", "heap-exporter-type-growth", "heap-exporter-health"}


def test_a_file_is_named_by_its_uid() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(dashboards())


def test_no_two_panels_have_the_same_number() -> None:
    for dashboard in dashboards().values():
        numbers = [panel["id"] for panel in dashboard["panels"]]
        assert sorted(set(numbers)) == sorted(numbers)


def test_no_panel_overlaps_another_or_leaves_the_grid() -> None:
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


def test_each_dashboard_links_to_the_others_and_to_the_runbook() -> None:
    for dashboard in dashboards().values():
        others, runbook = dashboard["links"]
        assert others["type"] == "dashboards"
        assert set(others["tags"]) <= set(dashboard["tags"])
        assert others["includeVars"]
        assert others["keepTime"]
        assert runbook["url"].endswith("/docs/runbook.md")


def test_every_dashboard_has_annotations_for_restarts_and_alerts() -> None:
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


def test_every_dashboard_shows_six_hours_by_default() -> None:
    for dashboard in dashboards().values():
        assert dashboard["time"] == {"from": "now-6h", "to": "now"}
