"""Small real programs whose memory is recorded. Each is a generator that yields the seconds until its next step."""
