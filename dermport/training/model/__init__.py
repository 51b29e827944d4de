"""MobileNetV2 with a classification layer: built, given weights, cut into its trainable ends, calibrated."""
