"""How TensorRT decides a network's types, by version: the one place that knows the difference.

Weakly typed networks (TensorRT 8 and 9, and 10 until 10.11) take precisions as permissions, ``BuilderFlag.FP16`` and
``INT8``. They are deprecated since 10.12 and removed in 11 together with those flags; strongly typed networks take
every type from the ONNX (NVIDIA's release notes of 10.12 and 11.0).
"""

from __future__ import annotations

from dermport.contract import Contract

STRONG_SINCE = (10, 12)


class Typing(Contract):
    """The rule of one precision, as ``kit.json`` carries it.

    Attributes:
        strong_since: First TensorRT (major, minor) whose networks are built strongly typed.
        weak_flags: The members of ``trt.BuilderFlag`` that an older one is given.
    """

    strong_since: tuple[int, int] = STRONG_SINCE
    weak_flags: tuple[str, ...] = ()

    def strong(self, version: str) -> bool:
        """Return whether a TensorRT version, e.g. ``"10.3.0"``, builds the network strongly typed."""
        major, minor = version.split(".")[:2]
        return (int(major), int(minor)) >= self.strong_since

    def flags(self, version: str) -> tuple[str, ...]:
        """Return the builder flags that a TensorRT version is given."""
        return () if self.strong(version) else self.weak_flags


TYPINGS = {
    "fp32": Typing(),
    "fp16": Typing(weak_flags=("FP16",)),
    "int8": Typing(weak_flags=("INT8",)),
}
