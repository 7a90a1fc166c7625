"""How right a prediction is: what is counted per clip, and the protocols that read numbers off the counts."""
