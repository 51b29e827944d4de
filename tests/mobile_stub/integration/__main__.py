"""``python -m tests.mobile_stub.integration golden|trust|examples``."""

from __future__ import annotations

import sys

from tests.mobile_stub.integration import golden, trust_vectors

if __name__ == "__main__":
    match sys.argv[1:]:
        case ["golden"]:
            golden.write()
            trust_vectors.write()
        case ["trust"]:
            trust_vectors.write()
        case ["examples"]:
            from tests.mobile_stub.integration import examples

            examples.write()
        case _:
            sys.exit(__doc__)
