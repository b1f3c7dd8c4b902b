"""A small shop that leaks, for people to see the exporter at work."""
