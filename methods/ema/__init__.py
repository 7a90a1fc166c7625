"""Ema: a moving average of another method's class scores."""
