"""Small programs that leak, and such as only look as if they did. Each has a ``main`` that calls ``snapshot`` twice."""
