"""Records what the memory of the process does, so that a later process can read it after a crash."""
