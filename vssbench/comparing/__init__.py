"""Compare two runs: what is different, and whether that is more than chance."""
