"""Starts the exporter in programs that have no code for it: some seconds after the interpreter, in each process."""
