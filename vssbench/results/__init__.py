"""What a run writes: records, the result folded from them, the folder, the figures by name."""
