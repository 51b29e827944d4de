"""How a model does on spoilt photos and on photos of something else, and whether it says that it cannot tell."""
