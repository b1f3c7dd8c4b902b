"""Tells people and programs of a leak."""
