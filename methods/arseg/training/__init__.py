"""How AR-Seg is trained: the two stages, and what they share."""
