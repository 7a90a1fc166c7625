"""Methods as graphs for a runtime: what is exported, the file that describes it, and how it is checked."""
