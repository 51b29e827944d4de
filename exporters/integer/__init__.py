"""One integer model: a network that is rounded once, in Keras, and from which every target takes the same integers."""
