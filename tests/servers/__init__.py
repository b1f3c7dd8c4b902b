"""The real servers and the browser that the tests run against.

`install.py` puts them here, `find` says where they are, `running.py` runs them.
"""

from tests.servers.install import find

__all__ = ["find"]
