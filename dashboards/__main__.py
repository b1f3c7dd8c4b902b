"""Writes all dashboards to the folder named on the command line, by default the folder of this file."""

from __future__ import annotations

import sys
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import exporter_health, overview, type_growth
from dashboards.committed import FOLDER

DASHBOARDS = (overview.dashboard, type_growth.dashboard, exporter_health.dashboard)


def encode(builder: Dashboard) -> str:
    """Return the JSON of a dashboard, the same on each run; its panels are numbered from 1 in reading order."""
    dashboard = builder.build()
    for number, panel in enumerate(dashboard.panels or (), start=1):
        panel.id_val = number
    return JSONEncoder(sort_keys=True, indent=2).encode(dashboard) + "\n"


def write(folder: Path) -> list[Path]:
    """Write `<uid>.json` of every dashboard into ``folder`` and return the paths."""
    paths = []
    for make in DASHBOARDS:
        builder = make()
        path = folder / f"{builder.build().uid}.json"
        path.write_text(encode(builder), encoding="utf-8")
        paths.append(path)
    return paths


if __name__ == "__main__":
    for path in write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER):
        print(path)
