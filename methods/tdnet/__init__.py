"""TDNet: sub-networks that take turns, one per frame, and attend to what the others stored."""
