"""Two runs side by side: what is different, and whether that is more than chance."""
