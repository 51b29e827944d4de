"""NVIDIA's real Python bindings of several TensorRT versions, and our code run against them without a GPU."""
