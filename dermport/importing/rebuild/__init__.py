"""From an ONNX graph to functional Keras: one table of lowerings."""
