"""Engine kits, and the engines that a Jetson builds from them."""
