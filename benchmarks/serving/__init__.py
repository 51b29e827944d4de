"""What the server achieves, beside other servers of the same model: ``python -m benchmarks.serving --help``.

Every throughput is given beside the in-process limit, measured before and after it: as many processes as cores, each
decoding, resizing and inferring the same photos in a loop with a single-threaded runtime, without HTTP. The load
generator shares the cores with what it measures, so its own cost is measured and printed too.
"""
