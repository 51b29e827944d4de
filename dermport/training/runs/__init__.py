"""Runs: their logs, and what is under way or done below a folder."""
