"""The half of the prover that runs inside the sandbox, beside the untrusted script: stdlib, numpy and torch only.

These modules are copied into the sandbox as plain files, and nothing else of the package is: they import one another
and nothing of the parent. Nothing here decides an outcome.
"""
