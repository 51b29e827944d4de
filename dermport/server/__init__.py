"""The Jetson's Flask server."""
