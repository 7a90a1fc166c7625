"""Graphs in ONNX Runtime as methods of the suite: an exported method with its state, or any per-frame network."""
