"""FlowWarp: a method on key frames, carried to the others by dense optical flow."""
