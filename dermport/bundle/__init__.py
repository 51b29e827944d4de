"""The contract that every room reads: manifest, labels, preprocessing, golden set, errors."""
