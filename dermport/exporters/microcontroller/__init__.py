"""What the microcontroller target is made of: a slim model, its arena measured, C sources and their guide."""
