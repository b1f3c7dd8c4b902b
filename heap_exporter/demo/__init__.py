"""The demo: a small shop that leaks, its visitors, and a table of what heap-exporter finds."""
