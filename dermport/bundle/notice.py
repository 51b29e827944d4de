"""The sentence that every surface shows beside a result."""

NOTICE = "Research and education only. Not a medical device, and never a diagnosis: see a doctor about any skin change."
