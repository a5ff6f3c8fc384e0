"""The HTML report and the corpus index in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.fleet.index import render_index
from auditor.fleet.store import parse_row
from auditor.report.html import render
from auditor.report.json import dump, submission_document
from auditor.usecases.audit import audit
from tests.report.sample import report, submission

_CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(_CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that fails the test on any console message, script error or request that leaves the file."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    noise: list[str] = []
    opened.on("console", lambda message: noise.append(message.text))
    opened.on("pageerror", lambda error: noise.append(str(error)))
    opened.on("dialog", lambda dialog: noise.append("dialog") or dialog.dismiss())
    opened.on("request", lambda request: request.url.startswith("file:") or noise.append(request.url))
    yield opened
    context.close()
    assert noise == []


def _open(page: Any, tmp_path: Path, text: str) -> None:
    file = tmp_path / "page.html"
    file.write_text(text, encoding="utf-8")
    page.goto(file.as_uri())


def test_j_and_k_walk_the_evidence(page: Any, tmp_path: Path) -> None:
    """j goes to the next step and k back; the step's note is lit and in view, at both ends they stay."""
    _open(page, tmp_path, render(report()))
    page.keyboard.press("j")
    assert page.locator(".step[aria-current] strong").inner_text() == "BACKWARD"
    page.keyboard.press("j")
    assert page.locator(".step[aria-current] strong").inner_text() == "SCORE"
    assert "SCORE" in page.locator(".note.here").inner_text()
    assert page.locator(".note.here").is_visible()
    page.keyboard.press("k")
    page.keyboard.press("k")
    assert page.locator(".step[aria-current] strong").inner_text() == "BACKWARD"


def test_a_step_in_the_shim_switches_the_layer(page: Any, tmp_path: Path) -> None:
    """The payload is shown first; the third step stands in the shim and brings it up, a tab brings the payload back."""
    _open(page, tmp_path, render(report()))
    tabs = page.locator("[role=tab]")
    assert tabs.nth(0).get_attribute("aria-selected") == "true" and "payload" in tabs.nth(0).inner_text()
    for _ in range(3):
        page.keyboard.press("j")
    assert tabs.nth(1).get_attribute("aria-selected") == "true"
    assert page.locator("[role=tabpanel]:visible").count() == 1
    tabs.nth(0).click()
    assert "loss.backward()" in page.locator("[role=tabpanel]:visible").inner_text()


def test_on_a_phone_a_step_leads_to_its_line_and_back(page: Any, tmp_path: Path) -> None:
    """The pane stands below the findings there: touching a step brings its line into view, touching that the step."""
    page.set_viewport_size({"width": 390, "height": 600})
    _open(page, tmp_path, render(report()))
    in_view = "(node) => { const box = node.getBoundingClientRect(); return box.top >= 0 && box.bottom <= innerHeight }"
    assert not page.locator(".note.on").nth(0).evaluate(in_view)
    page.locator(".step").nth(0).click()
    assert page.locator(".note.here").evaluate(in_view) and not page.locator(".step").nth(0).evaluate(in_view)
    page.locator(".note.here").click()
    assert page.locator(".step").nth(0).evaluate(in_view)


def test_only_relevant_lines_is_on_and_can_be_switched_off(page: Any, tmp_path: Path) -> None:
    """At first only lines near the evidence show."""
    _open(page, tmp_path, render(report()))
    far = page.locator(".l", has_text="x20 = 20").first
    assert not far.is_visible()
    page.locator(".only-relevant").uncheck()
    assert far.is_visible()


def test_hostile_text_is_shown_and_runs_nothing(page: Any, tmp_path: Path) -> None:
    """No element comes out of a submission's text, and no dialog or request happens."""
    _open(page, tmp_path, render(report()))
    assert page.locator("img").count() == 0
    assert "<img src=x onerror=alert(1)>" in page.locator("body").inner_text()


def test_the_hostile_fixtures_are_shown_and_run_nothing(page: Any, tmp_path: Path) -> None:
    """All of them on one page: nothing but our own elements, every key works, nothing scrolls sideways."""
    _open(page, tmp_path, render(audit(Path(__file__).resolve().parents[2] / "fixtures" / "hostile")))
    used = page.evaluate("[...new Set(Array.from(document.body.querySelectorAll('*'), (node) => node.localName))]")
    assert not {"img", "iframe", "object", "embed", "link", "form", "video"} & set(used)
    assert page.locator("body script").count() == 1
    page.keyboard.press("j")
    assert page.locator(".step[aria-current]").count() == 1
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_policy_refuses_a_script_that_is_not_ours(browser: Any, tmp_path: Path) -> None:
    """Even if markup did get out, the browser would not run it."""
    page = browser.new_page()
    _open(page, tmp_path, render(report()))
    ran = page.evaluate(
        "(() => { const other = document.createElement('script'); other.textContent = 'window.ran = 1';"
        " document.body.append(other); return window.ran })()"
    )
    page.close()
    assert ran is None


def test_the_comment_can_be_copied(page: Any, tmp_path: Path) -> None:
    """The button answers, and the text area holds the whole comment."""
    _open(page, tmp_path, render(report()))
    page.locator(".copy").click()
    page.wait_for_function("document.querySelector('.copied').textContent !== ''")
    assert page.locator(".comment").input_value().startswith("<!-- pgolf-review -->")


@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_scrolls_sideways(page: Any, tmp_path: Path, width: int) -> None:
    """Long words and tables stay inside their own boxes at desk and phone width."""
    page.set_viewport_size({"width": width, "height": 800})
    for text in (render(report()), _index(3)):
        _open(page, tmp_path, text)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_keys_do_not_steal_typing(page: Any, tmp_path: Path) -> None:
    """j inside the comment's text area moves nothing."""
    _open(page, tmp_path, render(report()))
    page.locator(".comment").focus()
    page.keyboard.press("j")
    assert page.locator(".step[aria-current]").count() == 0


def _index(count: int, legality: Callable[[int], str] = lambda _: "illegal") -> str:
    verdicts = ("COMPLIANCE_FLAG", "LOOKS_CLEAN", "NEEDS_REVIEW")
    rows = []
    for number in range(count):
        document = submission_document(submission())
        one = {
            **document,
            "legality": {**document["legality"], "verdict": legality(number)},
            "verdict": verdicts[number % 3],
            "path": f"records/t/Folder{number}",
        }
        raw = {"task": f"pr/{number}", "key": str(number), "head": None, "failure": None, "submissions": [one]}
        rows.append(parse_row(dump(raw, indent=None)))
    return render_index(rows, "tool x, edition y")


def test_an_index_of_two_thousand_rows_filters_sorts_and_searches(page: Any, tmp_path: Path) -> None:
    """Each answer comes well under a second, and the count says what is shown."""
    _open(page, tmp_path, _index(2000))
    count = page.locator("#count")
    assert count.inner_text() == "2000 of 2000"
    page.locator("#verdict").select_option("LOOKS_CLEAN")
    assert count.inner_text() == "667 of 2000"
    page.locator("#search").fill("folder1998")
    assert count.inner_text() == "0 of 2000"
    page.locator("#verdict").select_option("")
    assert count.inner_text() == "1 of 2000"
    page.locator("#search").fill("")
    took = page.evaluate(
        "(() => { const at = performance.now(); const head = document.querySelector('th button');"
        " head.click(); head.click(); return performance.now() - at })()"
    )
    assert page.locator("tbody tr").first.inner_text().startswith("pr/1999")
    assert took < 2000


def test_an_index_filters_by_eval_path_and_says_when_nothing_is_left(page: Any, tmp_path: Path) -> None:
    """ "legal" as a search word finds "illegal" too; the filter does not. The heading stays in view of a long table."""
    _open(page, tmp_path, _index(300, legality=lambda number: "legal" if number % 3 == 1 else "illegal"))
    assert page.locator("#legality option").all_inner_texts() == ["all", "legal (100)", "illegal (200)"]
    page.locator("#legality").select_option("legal")
    assert page.locator("#count").inner_text() == "100 of 300"
    page.locator(".scroll").evaluate("(node) => node.scrollTo(0, 1500)")
    assert page.locator("th").first.evaluate("(node) => node.getBoundingClientRect().top >= 0")
    assert not page.locator("#nothing").is_visible()
    page.locator("#search").fill("no such thing")
    assert page.locator("#nothing").is_visible()
