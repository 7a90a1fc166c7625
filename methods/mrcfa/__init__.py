"""MRCFA: mining relations among cross-frame affinities (Sun et al., ECCV 2022)."""
