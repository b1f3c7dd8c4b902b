"""Small programs whose memory grows, each by one cause: ``main(step)`` calls ``step()`` after each growth."""
