"""What whoever runs the Jetson sees: metrics, logs, power, systemd."""
