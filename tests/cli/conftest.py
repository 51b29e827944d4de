"""The phone's bundle and its server's double serve the command's tests, too."""

from __future__ import annotations

from tests.mobile_stub.conftest import desk, golden_bundle

__all__ = ["desk", "golden_bundle"]
