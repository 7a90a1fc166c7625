"""Score predictions against labels: files in a folder, or arrays in memory."""
