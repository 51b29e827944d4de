"""From a request to an answer: slots, batches, workers, the live model and its replacement."""
