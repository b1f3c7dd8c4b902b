"""Records samples on disk, and reads the records of crashed processes."""
