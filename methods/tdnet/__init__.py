"""TDNet: sub-networks that take turns, one a frame, and attend to what the others left."""
