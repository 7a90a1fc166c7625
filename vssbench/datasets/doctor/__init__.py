"""Find what is wrong with a dataset before spending hours on it."""
