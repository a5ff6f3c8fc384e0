"""The formats by name. A renderer is imported when it is asked for: SARIF pulls nothing that HTML needs."""

from __future__ import annotations

from enum import Enum
from importlib import import_module

from auditor.model.report import AuditReport


class Format(str, Enum):
    """Names of the formats; each is a module of this package with `render(report) -> str`."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"
    MARKDOWN = "markdown"
    HTML = "html"
    JUNIT = "junit"


def render(report: AuditReport, chosen: Format) -> str:
    """Return the report in a format, ready to be written as UTF-8."""
    text: str = import_module(f"auditor.report.{chosen.value}").render(report)
    return text
