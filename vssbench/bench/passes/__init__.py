"""The passes of a run, in order: accuracy, speed, streams. Each skips what is on disk already."""
