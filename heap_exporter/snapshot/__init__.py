"""Snapshots of the heap: whether there is room for one, the folder they are kept in, and the taking of one."""
