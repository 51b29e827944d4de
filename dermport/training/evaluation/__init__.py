"""How good a model is, how sure it may be and where it says yes: figures, calibration, threshold, charts, card."""
