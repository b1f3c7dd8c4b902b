"""Sends the alert of a leak: log, webhook, OpenTelemetry event, listeners of the application."""
