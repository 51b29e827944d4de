"""Keras to ONNX: the float graph, its float16 and its two int8 forms, and the rules that each must keep."""
