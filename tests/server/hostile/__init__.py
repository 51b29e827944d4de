"""Requests that nobody means well with: a seeded generator of raw bytes, and what sends them and judges the answers.

``python -m tests.server.hostile --requests 10000 --bundle BUNDLE`` sends them to a server of its own; ``--url`` to any.
"""
