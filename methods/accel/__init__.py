"""Accel: a reference method's scores carried from frame to frame, corrected by a cheap network on every frame."""
