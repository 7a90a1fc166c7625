"""Reports read the result folder and nothing else."""
