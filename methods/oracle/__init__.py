"""The ground truth itself, as a method: the ceiling of any wrapper around it."""
