"""What docs/integration is made of: golden vectors, and real requests with their answers.

``python -m tests.mobile_stub.integration golden`` draws the photos, trains the tiny network and writes the vectors;
``python -m tests.mobile_stub.integration examples`` asks a server about them and writes its answers into the README.
"""
