"""Replay: label PNGs that any program has written, as a method."""
