"""What artifacts cost and what they still know: measured, compared with earlier results, and reported."""
