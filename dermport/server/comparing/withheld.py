"""Where only one of the two sides gives a decision: which, why, and whether the other came near to it."""

from __future__ import annotations

from dermport.bundle.abstention import NEAR
from dermport.bundle.wire import Verdict


def withheld_words(phone: Verdict, server: Verdict) -> str:
    """Return in words that one side alone cannot tell, and why; empty where both or neither can."""
    if (phone.answer == "cannot_tell") == (server.answer == "cannot_tell"):
        return ""
    who, withheld = ("phone", phone) if phone.answer == "cannot_tell" else ("server", server)
    if not withheld.reasons:
        return f"Only the {who} cannot tell; what its model saw is not known here."
    found = ", ".join(f"{one.code} ({one.value:.3g}, bound {one.bound:.3g})" for one in withheld.reasons)
    near = all(one.near for one in withheld.reasons)
    words = f" All of it lies within {NEAR:.0%} of its bound: small differences of the inputs decide there."
    return f"Only the {who} cannot tell: {found}.{words if near else ''}"
