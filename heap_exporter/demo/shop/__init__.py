"""A small web shop with a session store that can leak, and a page cache with a limit.

It runs as a program of its own (``python -m shop`` in the folder above): heap-exporter leaves the objects of its own
package out of its counts, so the shop must not be part of that package.
"""
