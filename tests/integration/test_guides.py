"""The code of the guides runs as printed: the applications answer /metrics."""

from __future__ import annotations

import subprocess
import urllib.error
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.processes.commands import command_line
from tests.processes.printed_code import Command, blocks, run_as_printed
from tests.processes.programs import environment, eventually, get, program
from tests.servers.running import free_port

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
QUICK = ("flask", "gunicorn")
PACKAGES = {
    "fastapi": "fastapi",
    "django": "django",
    "celery": "celery",
    "uvicorn": "uvicorn",
    "workers": "heap_exporter",
    "run": "gunicorn",
    "tests": "pytest",
}
"""Guide → the package that it needs, of the guides that `make test-long` runs."""

SERVICE = """
    import signal
    import heap_exporter
    heap_exporter.start()
    signal.pause()
"""


def test_every_guide_has_a_test() -> None:
    tested = {"index", *QUICK, *PACKAGES, "notebooks", "kubernetes"}

    assert {page.stem for page in GUIDES.glob("*.md")} == tested


@pytest.mark.parametrize("guide", QUICK)
def test_the_applications_of_a_guide_run_as_printed(guide: str, tmp_path: Path) -> None:
    run_as_printed(GUIDES / f"{guide}.md", tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("guide", PACKAGES)
def test_the_applications_of_another_guide_run_as_printed(guide: str, tmp_path: Path) -> None:
    pytest.importorskip(PACKAGES[guide])

    run_as_printed(GUIDES / f"{guide}.md", tmp_path)


@pytest.mark.long
def test_the_cells_of_the_notebook_find_what_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    monkeypatch.setenv("HEAP_EXPORTER_SNAPSHOT_DIR", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    cells = [block.text for block in blocks(GUIDES / "notebooks.md") if block.language == "python"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])

    nbclient.NotebookClient(notebook).execute()

    printed = "".join(output.get("text", "") for output in notebook.cells[-1].outputs)
    (output,) = (block.text for block in blocks(GUIDES / "notebooks.md") if block.language == "text")
    assert Command("", output).matches(printed), printed


@pytest.mark.long
def test_the_pod_of_the_kubernetes_guide_is_scraped_and_needs_its_token_for_the_rest(tmp_path: Path) -> None:
    pod = _document("deployment.yaml")["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    environ = {entry["name"]: entry.get("value", "secret") for entry in container["env"]}
    scraped, port = pod["metadata"]["annotations"], str(free_port())
    environ |= {"HEAP_EXPORTER_SNAPSHOT_DIR": str(tmp_path / "heap"), "HEAP_EXPORTER_PORT": port}
    (volume,) = pod["spec"]["volumes"]
    (mount,) = container["volumeMounts"]

    with program(SERVICE, tmp_path, **environ):
        page = eventually(lambda: get(f"http://127.0.0.1:{port}{scraped['prometheus.io/path']}", "text/plain"))

        assert "python_heap_resident_bytes" in page
        with pytest.raises(urllib.error.HTTPError, match="401"):
            get(f"http://127.0.0.1:{port}/snapshots")
        command = command_line("snapshot")  # as `kubectl exec` runs it, in the environment of the container
        subprocess.run(command, env=environment(tmp_path, **environ), check=True)
    assert int(scraped["prometheus.io/port"]) == container["ports"][0]["containerPort"] == 9465
    assert _document("podmonitor.yaml")["spec"]["podMetricsEndpoints"][0]["port"] == container["ports"][0]["name"]
    assert (mount["name"], mount["mountPath"]) == (volume["name"], "/var/lib/heap")


def _document(title: str) -> Any:
    (text,) = (block.text for block in blocks(GUIDES / "kubernetes.md") if block.title == title)
    return yaml.safe_load(text)
