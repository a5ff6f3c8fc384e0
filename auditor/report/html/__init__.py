"""The HTML report: one file that needs no network, runs nothing but its own hashed script, and escapes everything."""

from __future__ import annotations

from auditor.report.html.report import render

__all__ = ["render"]
