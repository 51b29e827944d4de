"""The web app held against the server: the same inputs, the same answers."""
