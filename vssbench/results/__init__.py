"""What a run leaves behind: records, the fold to a result, the folder, the figures by name."""
