"""Takes the two snapshots of a suspicion, has them compared, and decides what the comparison says of it."""
