"""Small programs that leak, and healthy ones that look similar. Each has a ``main`` that calls ``snapshot`` twice."""
