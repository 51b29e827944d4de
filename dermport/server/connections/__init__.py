"""Clients' connections as a worker looks after them: bounds, turns, and a request's body and answer."""
