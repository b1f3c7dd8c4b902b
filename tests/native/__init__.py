"""The native walker compared with CPython's own view of the same heap."""
