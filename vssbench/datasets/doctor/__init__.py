"""Find what is wrong with a dataset before hours are spent on it."""
