"""Keras to ONNX: the float graph, its float16 and its Q/DQ form, and the rules that each must keep."""
