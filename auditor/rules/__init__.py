"""Rules: one module per rule, named pgNNN_slug.py, each with a `check(ctx)` that is a pure function of its context.

Adding a rule is one card in rules/, one module here and its fixtures; the registry finds both by scanning.
"""
