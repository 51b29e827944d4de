"""A sample set of drawn dermatoscopic photos, so that everything can be tried without a patient's picture."""
