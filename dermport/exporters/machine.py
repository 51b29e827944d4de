"""What this machine has and lacks, in words."""

from __future__ import annotations

from importlib.util import find_spec


def lacking(*modules: str) -> str:
    """Return which of the modules are not installed, with the remedy, or an empty string where all are."""
    missing = [name for name in modules if find_spec(name) is None]
    return f"not installed: {', '.join(missing)}; pip install 'dermport[export]'" if missing else ""
