"""Records samples on disk, observes how processes end, and reads the records of ended processes."""
