"""The versions that are held against: one per JetPack that can be had from PyPI, and the newest."""

BINDINGS = {
    "8.6.1": "tensorrt-bindings==8.6.1",  # JetPack 6.0; 8.5 of JetPack 5.1 has no wheel
    "10.3.0": "tensorrt-cu12-bindings==10.3.0",  # JetPack 6.2
    "10.16.1.11": "tensorrt-cu12-bindings==10.16.1.11",  # JetPack 7.2
    "11.4.0.106": "tensorrt-cu12-bindings==11.4.0.106",
}
