"""Renders the results of detection and analysis: sentences, text, HTML, JSON, and the formats of other tools."""
