"""Uploads finished snapshots and their reports to a store: S3, GCS, Azure, or a folder."""

OUTCOMES = ("uploaded", "failed")
"""The outcomes of an upload, for its metric."""
