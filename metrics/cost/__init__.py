"""What a prediction costs: FLOPs, parameters, time, memory and energy."""
