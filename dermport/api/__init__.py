"""The public API's own code; what it gives is named in :mod:`dermport`."""
