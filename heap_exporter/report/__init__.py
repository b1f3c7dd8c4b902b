"""Tells what the analysis found: as text, as a page, as JSON, and in the formats of other tools. Computes nothing."""
