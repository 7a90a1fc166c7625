"""What networks share: weights files, number formats, class mappings, and what per-frame adapters have in common."""
