"""The half of the prover that runs inside the sandbox, beside the untrusted script: stdlib, numpy and torch only.

These modules are copied into the sandbox as plain files and import one another by bare name; nothing of the parent is
importable from here, and nothing here decides an outcome.
"""
