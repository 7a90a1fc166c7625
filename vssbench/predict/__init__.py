"""Run a method over video without labels: label PNGs, overlays, a side-by-side video."""
