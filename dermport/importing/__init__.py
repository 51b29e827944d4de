"""Any trained image classifier becomes a bundle: looked into, rebuilt as functional Keras, proved."""
