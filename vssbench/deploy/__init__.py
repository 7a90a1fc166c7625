"""Methods as graphs for a runtime: the export, the file that describes it, and its checks."""
