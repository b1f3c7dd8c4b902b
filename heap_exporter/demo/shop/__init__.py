"""A small web shop with real requests, a session store that can forget to expire, and a healthy cache.

It is run as a program of its own (``python -m shop`` from the folder above), as any service would be: the
exporter leaves out objects of its own package, and the shop's are not to be among them.
"""
