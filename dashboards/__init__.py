"""The Grafana dashboards: `python -m dashboards` writes them to the JSON files beside this one.

What is asked stands in `queries.py`, how it is drawn in one module a dashboard, when it turns red in `thresholds.py`.
"""
