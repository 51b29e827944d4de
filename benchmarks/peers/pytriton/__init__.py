"""Triton Inference Server by its Python door: https://triton-inference-server.github.io/pytriton."""
