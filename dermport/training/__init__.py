"""Photos in, one trained MobileNetV2 with its evaluation out: a bundle."""
