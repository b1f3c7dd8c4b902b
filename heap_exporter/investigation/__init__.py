"""Takes two snapshots of a suspected leak, reads their comparison, and decides whether it is a leak."""
