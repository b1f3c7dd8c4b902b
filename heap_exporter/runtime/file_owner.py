"""Finds files that another user owns. In a folder that all users can write to, such as /tmp, any user can make one."""

from __future__ import annotations

import os
from pathlib import Path


def foreign_owner(*paths: Path) -> int | None:
    """Return a user id other than this process's and root's that owns one of the paths, or a symbolic link at one.

    Raises ``OSError`` where a path does not exist.
    """
    if not hasattr(os, "geteuid"):
        return None
    owners = {status.st_uid for path in paths for status in (path.lstat(), path.stat())}
    return next(iter(owners - {0, os.geteuid()}), None)
