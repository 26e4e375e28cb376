"""Which recordings, which labels, which groups."""
