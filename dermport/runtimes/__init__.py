"""How an artifact is executed: one file per runtime, the same few lines to use any of them."""
