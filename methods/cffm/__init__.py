"""CFFM: coarse-to-fine feature mining (Sun et al., CVPR 2022)."""
