"""The programs of others that read what heap-exporter converts a snapshot to, and that the tests compare it with.

`install.py` puts them here, `answers.py` asks them.
"""
