"""One file per format that an original comes in, and one registry."""
