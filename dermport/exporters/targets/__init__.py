"""One file per export target."""
