"""Labelled video made on the fly from a seed: textured things that move over one another, with exact motion."""
