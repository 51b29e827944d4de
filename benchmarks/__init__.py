"""What things cost: run one with ``python -m benchmarks.<name>``."""
