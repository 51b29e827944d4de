"""Other servers of the same model file and the same preprocessing, each below its own name, for benchmarks/serving.

Each folder has the peer's small server, written as its documentation recommends for work on the CPU (as many workers
as cores, each with a single-threaded session), and its packages, pinned for Python 3.11. A server runs in its own
environment below ``build/peers/``, with this repository on its path.
"""
