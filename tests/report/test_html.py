"""The HTML report as text: self-contained, escaped, under a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from auditor.limits import HtmlLimits, Limits
from auditor.model.logs import LogFile, StepLine
from auditor.report.html import render
from auditor.report.html.charts import curves
from auditor.report.html.markup import Html, tag
from tests.report.sample import report, submission


class _Reader(HTMLParser):
    """Collects tags with their attributes and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_policy_allows_our_style_and_script_and_nothing_else() -> None:
    """The hashes are those of the two inline blocks; there is no source for anything else."""
    text = render(report())
    (policy,) = [a["content"] for t, a in _Reader(text).tags if t == "meta" and a.get("http-equiv")]
    assert policy is not None and policy.startswith("default-src 'none'") and "unsafe" not in policy
    for name in ("style", "script"):
        (block,) = re.findall(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy


def test_nothing_is_loaded_and_no_handler_is_inline() -> None:
    """No attribute loads, runs or styles: no src, no on..., no style, links only inside the page."""
    for name, attributes in _Reader(render(report(submission(), submission()))).tags:
        assert name not in {"img", "iframe", "object", "embed", "link", "base", "form"}
        for key, value in attributes.items():
            assert key not in {"src", "srcset", "style", "action"} and not key.startswith("on")
            assert key != "href" or (value or "").startswith("#")


def test_text_of_a_submission_stays_text() -> None:
    """The markup of the sample is shown, not parsed."""
    reader = _Reader(render(report()))
    assert "</script><img src=x onerror=alert(1)>" in "".join(reader.text)
    assert not {"\x1b", "\u202e", "\u200b"} & set("".join(reader.text))


def test_the_place_of_the_claimed_number_is_relevant_and_no_step() -> None:
    """A submission without findings opens at what printed its number, not at its imports."""
    clean = submission(findings=())
    text = render(report(clean), Limits(html=HtmlLimits(whole_lines=10)))
    assert "claimed number" in text and "def eval_val(model, tokens):" in text
    assert "import torch" not in text and 'class="step"' not in text


def test_the_first_fall_of_the_loss_leaves_the_picture() -> None:
    """The axis ends at what the settled run reaches, so that runs can be told apart."""
    falling = [StepLine(n * 100, 2000, n, "", train_loss=11.0 if n < 2 else 3.0 - n / 100) for n in range(20)]
    picture = curves([LogFile("a.log", "A", "utf-8", (), 1, (), (), {}, steps=tuple(falling))])
    assert picture is not None and ">2.97<" in picture and ">11.00<" not in picture


def test_whole_sources_are_left_out_of_large_reports() -> None:
    """Beyond the cap only lines near a remark are in the file."""
    full, cut = render(report()), render(report(), Limits(html=HtmlLimits(whole_lines=10)))
    assert "x20 = 20" in full and "x20 = 20" not in cut
    assert "loss.backward()" in cut


def test_rendering_is_deterministic() -> None:
    """The same report gives the same bytes."""
    assert render(report()) == render(report())


def test_markup_escapes_by_construction() -> None:
    """Only what this package marks as markup passes; attributes are quoted."""
    assert tag("p", "<b>", Html("<i></i>"), title='"x"') == '<p title="&quot;x&quot;">&lt;b&gt;<i></i></p>'
    with pytest.raises(TypeError):
        tag("p", object())
