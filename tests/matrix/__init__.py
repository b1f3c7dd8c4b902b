"""Installs and tests the package on every CPython that it promises to support."""
