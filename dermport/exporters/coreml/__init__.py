"""Core ML: a Keras model becomes an .mlpackage, in several precisions; and Core ML itself, where there is one."""
