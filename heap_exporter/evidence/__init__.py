"""Secures what proves or clears a suspicion: two snapshots, their comparison, and what the process's mappings tell."""
