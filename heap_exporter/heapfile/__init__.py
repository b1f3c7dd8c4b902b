"""The snapshot file: its format, and the writing and reading of its records."""
