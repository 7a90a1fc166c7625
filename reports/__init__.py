"""Reports, which read the result folder and nothing else."""
