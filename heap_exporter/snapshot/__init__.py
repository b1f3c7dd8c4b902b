"""Snapshots of the heap: the file, the folder they are kept in, and the taking of one."""
