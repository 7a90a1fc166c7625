"""Code that networks share: weights files, number formats, class mappings, and the base of per-frame adapters."""
