"""Leaving out weights: whole channels, which every runtime gains from, or single weights, which few do."""
