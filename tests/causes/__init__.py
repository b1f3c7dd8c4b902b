"""Small programs whose memory grows, each for one cause: ``main(step)`` calls ``step()`` each time it has grown."""
