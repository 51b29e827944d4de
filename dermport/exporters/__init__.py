"""Bundle in, one proved artifact per target and precision out."""
