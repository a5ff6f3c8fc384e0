"""The rule on networks that look ahead: what it says, where it points, and when it leaves the matter open."""

from __future__ import annotations

from auditor.limits import DEFAULT_LIMITS
from auditor.model.finding import Effect, Finding, Ruling
from auditor.rules.context import RuleContext
from auditor.rules.data import cards, edition
from auditor.rules.registry import checks
from tests.interp.scripts import MODEL, REPORT, SCORE, analysed, program
from tests.measure.folders import evidence, folder

SHIFT = "x = x + torch.cat([x[:, 1:], x[:, :1]], dim=1)"
AHEAD = MODEL.replace("x = self.emb(ids)", f"x = self.emb(ids)\n        {SHIFT}")


def spoken(rule: str, text: str) -> list[object]:
    """Return everything that a rule says of a script."""
    submission = folder({"train_gpt.py": text})
    loaded = program(text)
    context = RuleContext(
        cards()[rule], edition(), submission, loaded, analysed(text), evidence(submission, loaded), DEFAULT_LIMITS
    )
    return list(checks()[rule](context))


def findings(text: str) -> list[Finding]:
    """Return what the rule finds in a script."""
    return [item for item in spoken("PG112", text) if isinstance(item, Finding)]


def test_the_finding_names_the_place_that_looks_ahead_and_leads_to_the_print() -> None:
    """The path goes from the tokens through the shift and the score to the number."""
    (found,) = findings(AHEAD + SCORE + "loss = measure(net)\n" + REPORT)
    assert found.ruling is Ruling.VIOLATION
    assert found.classes == ("look-ahead",)
    assert found.location is not None
    assert AHEAD.split("\n")[found.location.line - 1].strip() == SHIFT
    assert [step.event for step in found.path] == ["LOAD", "FORWARD", "OP", "SCORE", "PRINT"]


def test_a_network_that_looks_back_is_not_spoken_of() -> None:
    """The same shift the other way round is what every convolution on the left does."""
    back = AHEAD.replace("[x[:, 1:], x[:, :1]]", "[x[:, :1], x[:, :-1]]")
    assert findings(back + SCORE + "loss = measure(net)\n" + REPORT) == []


def test_a_network_that_may_not_have_scored_is_left_open() -> None:
    """Which of two networks made the number hangs on a setting that nothing tells."""
    both = AHEAD + MODEL.replace("class Net", "class Plain").replace("net = Net()", "plain = Plain()") + SCORE
    choice = 'loss = measure(net) if "yes" in open("answer").read() else measure(plain)\n'
    found = findings(both + choice + REPORT)
    assert [(item.ruling, item.effect) for item in found] == [(Ruling.UNPROVEN, Effect.NOTE)]
    assert spoken("PG111", both + choice + REPORT)


def test_scores_of_a_network_that_looks_ahead_are_no_plain_evaluation() -> None:
    """Nothing learned from validation tokens, and yet nothing legal is established."""
    assert spoken("PG111", AHEAD + SCORE + "loss = measure(net)\n" + REPORT) == []
    assert spoken("PG111", MODEL + SCORE + "loss = measure(net)\n" + REPORT)
