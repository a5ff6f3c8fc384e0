"""pgolf: a submission compliance auditor and packager for the Parameter Golf contest."""

from __future__ import annotations

__version__ = "0.1.0"
