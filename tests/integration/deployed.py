"""The files that docker-compose.yml mounts, laid out in a folder for servers on this machine.

Only addresses are other than in the compose stack: they stand in files of their own.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.servers import running

ROOT = Path(__file__).resolve().parents[2]
DEPLOY_FOLDER = ROOT / "deploy"
RULES_PATH = ROOT / "alerts" / "heap_exporter.rules.yml"


def lay_out_prometheus(folder: Path, rules: Mapping[str, str]) -> Path:
    """Lay out the folder of Prometheus with ``rules``, file name to text, and no addresses; return its config."""
    (folder / "rules").mkdir(parents=True)
    (folder / "targets").mkdir()
    (folder / "alertmanagers").mkdir()
    for name, text in rules.items():
        (folder / "rules" / name).write_text(text)
    return Path(shutil.copy(DEPLOY_FOLDER / "prometheus" / "prometheus.yml", folder))


def lay_out_alertmanager(folder: Path, webhook_url: str) -> Path:
    """Lay out the folder of Alertmanager, which will post to ``webhook_url``; return its config."""
    folder.mkdir(parents=True)
    (folder / "webhook_url").write_text(webhook_url + "\n")
    return Path(shutil.copy(DEPLOY_FOLDER / "alertmanager" / "alertmanager.yml", folder))


def write_target(prometheus_folder: Path, job: str, address: str, *, every: str) -> None:
    """Have Prometheus scrape ``address`` as ``job``, ``every`` so often (a PromQL duration)."""
    labels = {"job": job, "__scrape_interval__": every, "__scrape_timeout__": every}
    _write(prometheus_folder / "targets" / f"{job}.json", [{"targets": [address], "labels": labels}])


def write_alertmanager(prometheus_folder: Path, url: str) -> None:
    """Have Prometheus send its alerts to the Alertmanager at ``url``."""
    _write(prometheus_folder / "alertmanagers" / "alertmanager.json", [{"targets": [url.removeprefix("http://")]}])


@contextmanager
def alertmanager(config_path: Path) -> Iterator[str]:
    """Run Alertmanager in the folder of ``config_path``, where its `webhook_url` is; give its URL."""
    with running.alertmanager(config_path, working_folder=config_path.parent) as url:
        yield url


def _write(path: Path, groups: list[dict[str, object]]) -> None:
    # Prometheus reads the folder as soon as something changes there: it must not find half a file.
    new = path.with_suffix(".new")
    new.write_text(json.dumps(groups))
    os.replace(new, path)
