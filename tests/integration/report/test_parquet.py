"""DuckDB queries the snapshots of several processes at once."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from heap_exporter import analysis
from heap_exporter.analysis.summary import summarise
from heap_exporter.report import parquet
from tests.heaps.files import HEADER, small_graph, write_file
from tests.oracles.snapshots import REQUEST, snapshots_of_leak

PAGE = Path(__file__).parents[3] / "docs" / "queries.md"

PROCESSES = 3
LEAKED = [*range(30, 30 + PROCESSES - 1), 300]
"""Requests that each process leaks between two snapshots; the last process differs from the others."""

SEEN_PATH = "__main__.SEEN → list item → Request"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose ``heaps`` has the last two snapshots of each process."""
    folder = tmp_path_factory.mktemp("fleet")
    for number, leaked in enumerate(LEAKED):
        process = folder / str(number)
        process.mkdir()
        for turn, path in enumerate(snapshots_of_leak(process, leaked)[1:]):
            graph = analysis.load(path)
            heap = summarise(graph)
            heap = replace(heap, header=replace(heap.header, id=f"pod-{number}-{turn}"))
            parquet.write(graph, heap, folder / "heaps")
    return folder


def asked(fleet: Path, heading: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Return the rows of the query below a heading of the page."""
    monkeypatch.chdir(fleet)
    (query,) = re.findall(rf"## {heading}\n(?:(?!\n## ).)*?```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return duckdb.execute(query).fetchall()


def test_each_table_has_a_file_for_each_snapshot(fleet: Path) -> None:
    for table in ("nodes", "edges", "types", "paths"):
        assert len(list((fleet / "heaps" / table).glob("*.parquet"))) == 2 * PROCESSES


def test_query_what_holds_the_memory(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = asked(fleet, "Which paths hold a type", monkeypatch)

    (path, snapshots, objects, size) = rows[0]
    assert (path, snapshots, objects) == (SEEN_PATH, 2 * PROCESSES, 3 * sum(LEAKED))
    assert size > objects * 4096


def test_query_types_by_memory(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = asked(fleet, "Which types take the memory of the fleet", monkeypatch)

    sizes = {name: size for name, _, size, _ in rows}
    assert sizes["bytearray"] > 3 * sum(LEAKED) * 4096
    assert list(sizes.values()) == sorted(sizes.values(), reverse=True)


def test_query_the_process_that_differs(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = asked(fleet, "Which process differs from the others", monkeypatch)

    assert {name for _, name, _, _ in rows[:3]} >= {REQUEST, "bytearray"}
    assert len({pid for pid, *_ in rows}) == 1


def test_query_growth_by_path_and_process(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = asked(fleet, "What grew, by path and process", monkeypatch)

    fastest = [(path, objects) for _, path, size, objects in rows if size > LEAKED[-1] * 4096]
    assert (SEEN_PATH, LEAKED[-1]) in fastest


def test_query_the_largest_single_objects(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = asked(fleet, "Which single objects retain most", monkeypatch)

    snapshot_id, type_name, retained, path, references = rows[0]
    assert (snapshot_id, type_name, path, references) == (f"pod-{PROCESSES - 1}-1", "list", "__main__.SEEN → list", 1)
    assert retained > 2 * LEAKED[-1] * 4096


def test_every_query_of_the_page_is_run() -> None:
    headings = re.findall(r"^## (.*)$", PAGE.read_text(), re.MULTILINE)

    assert [heading for heading in headings if f'"{heading}"' not in Path(__file__).read_text()] == []


def test_every_column_is_documented_and_has_the_numbers_of_the_graph(fleet: Path) -> None:
    graph = analysis.load(fleet / str(PROCESSES - 1) / "third.heap")
    for table in ("nodes", "edges", "types", "paths"):
        columns = duckdb.execute(
            f"DESCRIBE SELECT * FROM '{fleet}/heaps/{table}/pod-{PROCESSES - 1}-1.parquet'"
        ).fetchall()
        assert [name for name, *_ in columns if f"`{name}`" not in PAGE.read_text()] == []

    nodes = fleet / "heaps" / "nodes" / f"pod-{PROCESSES - 1}-1.parquet"
    query = f"SELECT node, size_bytes, retained_bytes, dominator FROM '{nodes}' ORDER BY 1"
    by_node = duckdb.execute(query).fetchall()
    holders = len(graph.holders)
    assert [row[1] for row in by_node] == [*graph.size, *[0] * holders]
    assert [row[2] for row in by_node] == list(graph.retained)
    assert [row[3] for row in by_node if row[0] != graph.objects] == [
        dominator for node, dominator in enumerate(graph.idom) if node != graph.objects
    ]
    edges = duckdb.execute(f"SELECT count(*) FROM '{fleet}/heaps/edges/pod-{PROCESSES - 1}-1.parquet'").fetchall()
    assert edges == [(graph.references + len(graph.root_edges) + holders - 1,)]


def test_a_snapshot_of_any_year_is_written(tmp_path: Path) -> None:
    path = write_file(tmp_path / "a.heap", small_graph, replace(HEADER, taken_at=1e19))
    graph = analysis.load(path)

    parquet.write(graph, summarise(graph), tmp_path)

    [(year,)] = duckdb.execute(f"SELECT DISTINCT year(taken_at) FROM '{tmp_path}/nodes/*.parquet'").fetchall()
    assert year == 9999


def test_without_pyarrow_the_error_names_the_package_to_install() -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from heap_exporter.report import parquet\n"
        "parquet.write(None, None, None)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stderr.splitlines()[-1].endswith("; run `pip install 'heap-exporter[parquet]'`")
