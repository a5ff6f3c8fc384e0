"""Legal evaluation: every score is fixed before anything learns from its token."""
