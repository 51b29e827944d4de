"""``python -m tests.mobile_stub.integration golden|examples``."""

from __future__ import annotations

import sys

from tests.mobile_stub.integration import golden

if __name__ == "__main__":
    match sys.argv[1:]:
        case ["golden"]:
            golden.write()
        case ["examples"]:
            from tests.mobile_stub.integration import examples

            examples.write()
        case _:
            sys.exit(__doc__)
