"""How right a prediction is: what is counted a clip, and the protocols that read numbers off the counts."""
