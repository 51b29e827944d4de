"""The phone: the same photo on the phone and on the Jetson, and where the two disagree."""
