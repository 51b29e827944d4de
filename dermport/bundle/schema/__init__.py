"""The published JSON Schemas (draft 2020-12) of the contract.

``python -m dermport.bundle.schema.publish`` writes them again.
"""
