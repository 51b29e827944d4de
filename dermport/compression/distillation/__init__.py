"""Distillation: a smaller network learns what a larger one answers (Hinton et al. 2015, arXiv:1503.02531)."""
