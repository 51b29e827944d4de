"""The integer model: a network folded, equalised and rounded so that it answers as its float32 original does."""
