"""LitServe: https://lightning.ai/docs/litserve."""
