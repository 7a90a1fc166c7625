"""Predictions scored against labels: those in a folder, and those that are at hand as arrays."""
