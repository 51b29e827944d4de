"""What the machine draws while it runs: sensors, rails, and energy over a window of time."""
