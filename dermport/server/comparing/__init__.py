"""Phone against Jetson: the experiments, the cause, the summary, the alarm."""
