"""Training itself: the loop with its checkpoints, and the three phases that run in it."""
