"""The proof: every artifact, read back from disk and executed, held against the original."""
