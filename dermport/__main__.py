"""``python -m dermport``: the command line."""

import sys

# `python -m` looks for modules in the current folder first, where a PIL.py may lie (Python 3.11 has -P for it).
if not getattr(sys.flags, "safe_path", False):
    del sys.path[0]

from dermport.cli.main import main

main()
