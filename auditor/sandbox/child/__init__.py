"""The half of the smoke test that runs inside the sandbox, beside the untrusted script. Imports nothing of pgolf."""
