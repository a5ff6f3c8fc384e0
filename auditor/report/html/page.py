"""The shell of a page: a strict content security policy with the hashes of our own style and script, nothing else."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from auditor.report.html.markup import Html, escape, tag


def page(title: str, body: Html, *, style: str, script: str) -> str:
    """Return a whole document; `style` and `script` name asset files of this package."""
    css, code = _asset(style), _asset(script)
    policy = (
        f"default-src 'none'; style-src '{_hash(css)}'; script-src '{_hash(code)}'; base-uri 'none'; form-action 'none'"
    )
    head = Html(
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{css}</style>"
    )
    ended = Html(f"{body}<script>{code}</script>")
    return f"<!doctype html>\n{tag('html', tag('head', head), tag('body', ended), lang='en')}\n"


def _asset(name: str) -> str:
    return files("auditor.report.html").joinpath("assets").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
