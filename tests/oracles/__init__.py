"""Other tools that read converted snapshots; the tests compare heap-exporter's results with those of the tools.

`install.py` installs them, `answers.py` runs them and reads their results.
"""
