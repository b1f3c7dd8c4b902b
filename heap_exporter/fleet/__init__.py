"""The processes that share a snapshot folder: one fleet."""
