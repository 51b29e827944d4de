"""The reference executor for Core ML's ML Programs (MIL), on any machine: evidence ``mil-reference``.

``package`` and ``program`` read a saved .mlpackage, ``values`` and ``weights`` decode what it stores, ``operators``
translates each MIL operator to ONNX, ``graph`` joins them, and ``reference`` runs the result in ONNX Runtime.
"""
