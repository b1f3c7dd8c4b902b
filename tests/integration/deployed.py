"""The files that docker-compose.yml mounts, laid out in a folder for servers on this machine.

Only addresses are other than in the compose stack, and how long Alertmanager waits for more alerts of a group.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY_FOLDER = ROOT / "deploy"
PAGER_URL = "http://pager:8080/"
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
    text = (DEPLOY_FOLDER / "alertmanager" / "alertmanager.yml").read_text()
    config_path = folder / "alertmanager.yml"
    config_path.write_text(text.replace(PAGER_URL, webhook_url).replace("group_wait: 10s", "group_wait: 0s"))
    return config_path


def write_target(prometheus_folder: Path, job: str, address: str, *, every: str) -> None:
    """Have Prometheus scrape ``address`` as ``job``, ``every`` so often (a PromQL duration)."""
    labels = {"job": job, "__scrape_interval__": every, "__scrape_timeout__": every}
    _write(prometheus_folder / "targets" / f"{job}.json", [{"targets": [address], "labels": labels}])


def write_alertmanager(prometheus_folder: Path, url: str) -> None:
    """Have Prometheus send its alerts to the Alertmanager at ``url``."""
    _write(prometheus_folder / "alertmanagers" / "alertmanager.json", [{"targets": [url.removeprefix("http://")]}])


def _write(path: Path, groups: list[dict[str, object]]) -> None:
    # Prometheus reads the folder as soon as something changes there: it must not find half a file.
    new = path.with_suffix(".new")
    new.write_text(json.dumps(groups))
    os.replace(new, path)
