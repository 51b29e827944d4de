"""Models for phones: signed manifests, files, staged roll-out."""
