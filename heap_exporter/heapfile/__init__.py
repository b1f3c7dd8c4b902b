"""The snapshot file: its format, and how its records are written and read."""
