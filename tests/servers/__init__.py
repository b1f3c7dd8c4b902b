"""The real servers and the browser that the tests run against.

`install.py` installs them, `find` returns their paths, `versions.py` checks whether they are recent enough, and
`running.py` runs them.
"""

from tests.servers.install import find

__all__ = ["find"]
