"""Figures of merit, their uncertainty and tests: arrays in, numbers out; nothing here knows a bundle."""
