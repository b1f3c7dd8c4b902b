"""The Grafana dashboards: `python -m dashboards` writes them to the JSON files in this folder.

`queries.py` has the PromQL, one module per dashboard its panels, `thresholds.py` the values at which colours change.
"""
