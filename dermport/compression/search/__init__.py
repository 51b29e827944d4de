"""Looking for good combinations: candidates out of a space, measured, held against each other, the best ones kept."""
