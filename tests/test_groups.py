"""Tests that must not run side by side do not: pytest-xdist 3.8 loses its groups under pytest 9.2 and says nothing."""

from __future__ import annotations

import os

import pytest


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one process has no groups")
def test_a_modules_tests_are_one_group(request: pytest.FixtureRequest) -> None:
    assert request.node.nodeid.endswith("@tests/test_groups.py")
