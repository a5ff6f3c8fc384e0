"""The smallest self-extracting script, reversible."""
