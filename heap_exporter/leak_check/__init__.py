"""Repeats a scenario in this process and finds what leaks in it: for tests, scripts and notebooks."""
