"""How scored tokens had been learned from before, on small programs that differ in one thing each."""

from __future__ import annotations

import textwrap

import pytest

from auditor.interp.leaks import Way
from tests.interp.scripts import MODEL, REPORT, SCORE, analysed, ways

MEASURE = "\nloss = measure(net)\n"
FIRST_SCORED = """
nll, count = torch.zeros(()), torch.zeros(())
for i in range(chunks):
    x, y = rows(val, i)
    with torch.no_grad():
        nll += price(net, x, y).sum()
        count += y.numel()
    descend(net, opt, x, y)
loss = (nll / count).item()
"""


def test_scoring_alone_learns_nothing() -> None:
    """A trained model that scores validation tokens once has not learned from them."""
    assert ways(SCORE + MEASURE) == set()


def test_score_first_adaptation_is_no_leak() -> None:
    """Every chunk is scored before it is learned from."""
    assert ways(FIRST_SCORED) == set()


TAILS = """
nll, count, half = torch.zeros(()), torch.zeros(()), CTX // 2
for pair in range(1, chunks // 4 - 2):
    for turn in range(4):
        starts = [(pair * 4 + 2 * row) * CTX + (turn - 1) * half for row in range(2)]
        spans = [val[at : at + CTX + 1] for at in starts]
        x, y = torch.stack([s[:-1] for s in spans]), torch.stack([s[1:] for s in spans])
        each = price(net, x, y).view(2, CTX)
        with torch.no_grad():
            for row in range(2):
                nll += each[row, half:].sum()
                count += half
        total = START
        for row in range(2):
            total = total + each[row, FROM:].mean()
        opt.zero_grad()
        total.backward()
        opt.step()
loss = (nll / count).item()
"""
"""Two neighbouring texts at a time: the context of a window reaches back into the text that is scored beside it."""


def test_a_fresh_zero_of_the_type_of_the_losses_carries_no_losses() -> None:
    """A sum that starts at `losses.new_zeros(())` descends on what is added to it, not on the context."""
    assert ways(TAILS.replace("START", "each.new_zeros(())").replace("FROM", "half")) == set()


def test_descending_on_the_context_beside_is_a_leak() -> None:
    """The same script, one edit away: the context in the sum is text that the other row scores later."""
    assert ways(TAILS.replace("START", "each.new_zeros(())").replace("FROM", "0")) == {Way.BEFORE_SCORING}


DELEGATED = """
class Through(Net):
    def losses(self, ids, targets):
        return F.cross_entropy(self(ids).view(-1, 1024), targets.reshape(-1), reduction=HOW)
    def shallow(self, ids, targets):
        return self.losses(ids, targets)
net = Through()
net.load_state_dict(torch.load("trained.pt"))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
"""


def test_a_method_that_hands_on_to_per_token_losses_has_them_too() -> None:
    """What the network returns is a loss per token, of which only the scored half is learned from."""
    own = TAILS.replace("price(net, x, y)", "net.shallow(x, y)").replace("START", "each.new_zeros(())")
    script = DELEGATED.replace("HOW", '"none"') + own
    assert ways(script.replace("FROM", "half")) == set()
    assert ways(script.replace("FROM", "0")) == {Way.BEFORE_SCORING}


NOTED = """
net = NET
for i in range(3):
    net.noted = float(net(rows(val, i)[0]).mean().item())
"""


def test_a_number_that_is_noted_on_a_model_and_never_read_teaches_it_nothing() -> None:
    """What a validation notes on the model for its log is neither state of the next forward pass nor saved."""
    assert ways(SCORE + NOTED.replace("NET", "net") + MEASURE) == set()


def test_a_number_that_is_noted_on_a_model_and_read_in_its_forward_is_calibration() -> None:
    """The same note, one edit away: the forward pass multiplies by it."""
    scaled = """
class Scaled(Net):
    noted = 1.0
    def forward(self, ids):
        return super().forward(ids) * self.noted
"""
    assert ways(SCORE + scaled + NOTED.replace("NET", "Scaled()") + MEASURE) == {Way.CALIBRATION}


def test_a_number_that_is_noted_on_a_model_is_not_in_its_state_dict() -> None:
    """A model that is loaded from the state of another has its tensors, not what was noted on it."""
    read = NOTED.replace("NET", "net") + "print(net.noted)\nfresh = Net()\nfresh.load_state_dict(net.state_dict())\n"
    assert ways(SCORE + read + MEASURE.replace("net", "fresh")) == set()


def test_learning_right_before_the_score_is_a_leak() -> None:
    """The same loop with its two halves exchanged learns from each chunk before it is scored."""
    swapped = """
nll, count = torch.zeros(()), torch.zeros(())
for i in range(chunks):
    x, y = rows(val, i)
    descend(net, opt, x, y)
    with torch.no_grad():
        nll += price(net, x, y).sum()
        count += y.numel()
loss = (nll / count).item()
"""
    assert ways(swapped) == {Way.BEFORE_SCORING}


def test_adaptation_over_the_whole_stream_before_scoring_is_a_leak() -> None:
    """Epochs over validation tokens that end before the first score."""
    adapt = "\nfor turn in range(3):\n    for i in range(chunks):\n        descend(net, opt, *rows(val, i))\n"
    assert ways(SCORE + adapt + MEASURE) == {Way.BEFORE_SCORING}


def test_scoring_again_after_score_first_adaptation_is_a_second_pass() -> None:
    """The first pass is in order; the number that is printed comes from a second one."""
    first = "def first(net):\n" + textwrap.indent(FIRST_SCORED, "    ") + "    return loss\nfirst(net)\n"
    assert ways(SCORE + first + MEASURE) == {Way.SECOND_PASS}


def test_the_score_of_a_later_epoch_is_a_leak() -> None:
    """Only the last epoch's scores are counted, and each of its chunks was learned from in an earlier one."""
    epochs = """
def adapt(net):
    for turn in range(3):
        nll, count = torch.zeros(()), torch.zeros(())
        for i in range(chunks):
            x, y = rows(val, i)
            with torch.no_grad():
                nll += price(net, x, y).sum()
                count += y.numel()
            descend(net, opt, x, y)
    return (nll / count).item()
loss = adapt(net)
"""
    assert Way.LATER_EPOCH in ways(epochs)


def test_a_parameter_fitted_to_the_scored_window_is_a_leak() -> None:
    """A bias that is optimised on the window's own targets before they are scored."""
    slot = """
nll, count = torch.zeros(()), torch.zeros(())
for i in range(chunks):
    x, y = rows(val, i)
    delta = torch.zeros(1024, requires_grad=True)
    local = torch.optim.AdamW([delta], lr=0.01)
    for turn in range(8):
        inner = F.cross_entropy((net(x) + delta).view(-1, 1024), y.reshape(-1))
        local.zero_grad()
        inner.backward()
        local.step()
    with torch.no_grad():
        nll += F.cross_entropy((net(x) + delta).view(-1, 1024), y.reshape(-1), reduction="sum")
        count += y.numel()
loss = (nll / count).item()
"""
    assert ways(slot) == {Way.WINDOW_PARAMETER}


def test_training_on_validation_tokens_in_the_training_loop_is_told_apart() -> None:
    """Where one backward pass serves both kinds of data, the leak is in the training loop."""
    both = "\nfor source in (train, val):\n    for i in range(10):\n        descend(net, opt, *rows(source, i))\n"
    assert ways(SCORE + both + MEASURE) == {Way.TRAINING_LOOP}


def test_the_headline_names_the_function_that_scored() -> None:
    """The print of the last bits per byte is followed back to the call in which its losses came to be."""
    found = analysed(MODEL + SCORE + MEASURE + REPORT)
    assert found.headline is not None
    assert found.headline.function == "measure"
    assert found.headline.certain is False


def test_a_program_without_a_score_has_no_headline() -> None:
    """A printed constant is not the number of an evaluation."""
    assert analysed('print("val_bpb: 1.05")\n').headline is None


CALIBRATE = """
sums = {}
def hook(module, args, output):
    sums["h"] = sums.get("h", 0) + args[0].float().square().mean()
handle = net.layers[0].register_forward_hook(hook)
with torch.no_grad():
    for i in range(8):
        net(rows(SOURCE, i)[0])
handle.remove()
state = {name: w * sums["h"] for name, w in net.state_dict().items()}
net.load_state_dict(state)
"""


def test_calibration_on_validation_tokens_reaches_the_weights_without_a_gradient() -> None:
    """Activations of validation tokens, gathered by hooks, scale the weights before any score."""
    assert ways(SCORE + CALIBRATE.replace("SOURCE", "val") + MEASURE) == {Way.CALIBRATION}


def test_calibration_on_training_tokens_is_no_leak() -> None:
    """The same code over training tokens."""
    assert ways(SCORE + CALIBRATE.replace("SOURCE", "train") + MEASURE) == set()


def certain(source: str) -> dict[Way, bool]:
    """Return the leaks of a script, each with whether it surely happened."""
    return {leak.way: leak.certain for leak in analysed(MODEL + source + REPORT).leaks}


GATHERING = """
sums, gathering, unknown = {}, False, eval(input())
def hook(module, args, output):
    sums["h"] = sums.get("h", 0) + args[0].float().square().mean()
for i in range(8):
    CONDITION
        net.layers[0].register_forward_hook(hook)
    net(rows(train, i)[0])
print(measure(net))
state = {name: w * sums.get("h", 1) for name, w in net.state_dict().items()}
net.load_state_dict(state)
"""


def test_a_hook_that_may_not_have_been_registered_convicts_nobody() -> None:
    """Whether the hook was there when validation ran hangs on a setting that is not known."""
    doubtful = GATHERING.replace("CONDITION", "if unknown > 0.5:")
    assert certain(SCORE + doubtful + MEASURE) == {Way.CALIBRATION: False}


def test_a_hook_that_stays_registered_gathers_what_is_validated() -> None:
    """The same script, one edit away: the hook is there."""
    assert certain(SCORE + GATHERING.replace("CONDITION", "if True:") + MEASURE) == {Way.CALIBRATION: True}


def test_a_condition_on_the_layer_at_hand_only_says_which_layers_are_meant() -> None:
    """A hook for every layer that is large enough: some are, whatever their size is."""
    loop = "for name, layer in net.named_modules():\n    if layer.weight.numel() > 65536:\n        handle = layer.regis"
    large = CALIBRATE.replace("handle = net.layers[0].regis", loop).replace("SOURCE", "val")
    assert certain(SCORE + large + MEASURE) == {Way.CALIBRATION: True}


DETACHED = """
def adapt(net):
    net.extra = nn.Linear(64, 64)
    opt = torch.optim.SGD(net.extra.parameters(), lr=0.1)
    seen = torch.zeros(())
    for i in range(chunks):
        x, y = rows(val, i)
        with torch.no_grad():
            seen += F.cross_entropy(net(x).view(-1, 1024), y.reshape(-1))
        descend(net, opt, x, y)
    AFTER
    return seen
print(adapt(net))
"""


def test_a_layer_that_is_taken_off_again_leaves_nothing_behind() -> None:
    """An adapter learns from validation tokens and is deleted: the weights below it are what they were."""
    for removal in ("del net.extra", 'del net._modules["extra"]'):
        assert ways(SCORE + DETACHED.replace("AFTER", removal) + MEASURE) == set()


def test_a_layer_that_stays_keeps_what_it_learned() -> None:
    """The same script, one edit away: the adapter is only put to sleep by name."""
    assert ways(SCORE + DETACHED.replace("AFTER", "net.sleeping = True") + MEASURE) == {Way.SECOND_PASS}


ADAPTED = (
    "\nunknown = eval(input())\nCONDITION\n    for i in range(chunks):\n        descend(net, opt, *rows(val, i))\n"
)


def test_learning_behind_a_setting_that_is_not_known_is_in_doubt() -> None:
    """One side of the condition adapts to validation tokens, the other does nothing."""
    adapted = ADAPTED.replace("CONDITION", "if unknown:")
    assert certain(SCORE + adapted + MEASURE) == {Way.BEFORE_SCORING: False}


def test_a_score_behind_the_same_setting_shares_the_doubt() -> None:
    """Where the counted score stands on the same side, there is no score without the learning."""
    adapted = ADAPTED.replace("CONDITION", "if unknown:") + "    loss = measure(net)\n"
    assert certain(SCORE + "\nloss = torch.zeros(())" + adapted) == {Way.BEFORE_SCORING: True}


def test_learning_while_there_is_time_is_not_in_doubt() -> None:
    """A counter, a clock and a loss come out either way in time."""
    counted = "\nsome = 0\nfor i in range(chunks):\n    x, y = rows(val, i)\n    some += 1"
    counted += ADAPTED.replace("CONDITION", "if some > 0:")
    assert certain(SCORE + counted + MEASURE) == {Way.BEFORE_SCORING: True}
    while_time = ADAPTED.replace("CONDITION", "if time.time() < 100:").replace("\nunknown", "\nimport time\nunknown")
    assert certain(SCORE + while_time + MEASURE) == {Way.BEFORE_SCORING: True}
    assert certain(SCORE + ADAPTED.replace("CONDITION", "if trained.item() > 2.0:") + MEASURE) == {
        Way.BEFORE_SCORING: True
    }


RESTORED = """
saved = {n: p.data.clone() for n, p in net.named_parameters()}
for i in range(chunks):
    descend(net, opt, *rows(val, i))
AGAIN
with torch.no_grad():
    for n, p in net.named_parameters():
        if n in saved:
            p.data.copy_(saved[n])
"""


def test_weights_that_are_copied_back_by_name_have_learned_nothing() -> None:
    """Every parameter takes back what was saved under its name before the model adapted."""
    assert ways(SCORE + RESTORED.replace("AGAIN", "") + MEASURE) == set()


def test_weights_that_are_saved_after_learning_keep_it() -> None:
    """The same restore, one edit away: what is saved has adapted already."""
    again = RESTORED.replace("AGAIN", "saved = {n: p.data.clone() for n, p in net.named_parameters()}")
    assert ways(SCORE + again + MEASURE) == {Way.BEFORE_SCORING}


STASHED = """
kept, half = START, CTX // 2
for i in range(chunks * 2 - 2):
    at = i * half
    x, y = val[at : at + CTX].view(1, CTX), val[at + 1 : at + CTX + 1].view(1, CTX)
    with torch.no_grad():
        each = price(net, x, y)
        KEEP
    descend(net, opt, x, y)
loss = TOTAL.mean().item()
"""
"""The new half of each window is scored first and kept for the end; the whole window is then learned from."""
KEEPERS = (
    ("[]", "kept.append(each[half:])", "torch.cat(kept)"),
    ("[]", "kept.append(each[half:].numpy())", "np.concatenate(kept)"),
    ("torch.zeros(val.numel())", "kept[at + half : at + CTX] = each[half:]", "kept"),
)


@pytest.mark.parametrize(("start", "keep", "total"), KEEPERS)
def test_parts_of_losses_that_are_kept_for_the_end_are_all_that_counts(start: str, keep: str, total: str) -> None:
    """The context of a window has been learned from, but its loss is not among what was kept."""
    source = STASHED.replace("START", start).replace("KEEP", keep).replace("TOTAL", total)
    assert ways(source) == set()


@pytest.mark.parametrize(("start", "keep", "total"), KEEPERS)
def test_the_context_that_is_kept_with_the_rest_counts(start: str, keep: str, total: str) -> None:
    """The same scripts, one edit away: the losses of the context are kept as well."""
    source = (
        STASHED.replace("START", start).replace("KEEP", keep.replace("each[half:]", "each")).replace("TOTAL", total)
    )
    assert ways(source.replace("kept[at + half :", "kept[at :")) == {Way.BEFORE_SCORING}


CACHED = """
table = np.zeros(1 << 20, dtype=np.float32)
nll, count = torch.zeros(()), torch.zeros(())
for i in range(chunks):
    x, y = rows(val, i)
    key = (x.reshape(-1) * 36313 ^ y.reshape(-1) * 27191) % (1 << 20)
    EARLY
    with torch.no_grad():
        p = torch.exp(-price(net, x, y))
    nll += -torch.log(0.8 * p + 0.2 * torch.from_numpy(table[key])).sum()
    count += y.numel()
    LATE
loss = (nll / count).item()
"""
FILL = "np.add.at(table, key, 1)"


def reads_what_it_filled(source: str) -> bool:
    """Say whether a score was blended with entries that its own positions had been written into."""
    found = analysed(MODEL + source + REPORT)
    assert found.composition is not None
    assert found.composition.blends
    overlaps = ((r, found.trace.learned[r.index].cached & r.region) for r in found.composition.reads)
    # A chunk's first input is the last target of the chunk before it: one token of overlap is in order.
    return any(overlap.count > read.region.count // 2 for read, overlap in overlaps)


def test_a_table_filled_before_it_is_read_holds_the_scored_tokens() -> None:
    """The cached region of the read covers what is looked up."""
    assert reads_what_it_filled(CACHED.replace("EARLY", FILL).replace("LATE", "pass"))


def test_a_table_filled_after_scoring_does_not() -> None:
    """Entries come from earlier chunks alone."""
    assert not reads_what_it_filled(CACHED.replace("EARLY", "pass").replace("LATE", FILL))


HEADER = """
def shard(path):
    header = np.fromfile(path, dtype=np.int32, count=256)
    assert header[0] == 20240520
    held = int(header[2])
    return torch.from_numpy(np.fromfile(path, dtype=np.uint16, offset=1024)[PART].astype(np.int64))

learned = shard("./data/datasets/fineweb10B_sp1024/fineweb_val_000000.bin")
for i in range((learned.numel() - 1) // CTX):
    descend(net, opt, *rows(learned, i))
chunks = 1024
"""


@pytest.mark.parametrize("part", [":held", ": held // 2", ": header[2]"])
def test_a_stream_cut_to_the_count_in_its_header_keeps_its_places(part: str) -> None:
    """The third number of a shard's header is how many tokens follow it."""
    assert Way.BEFORE_SCORING in ways(HEADER.replace("PART", part) + SCORE + MEASURE)


def test_the_half_behind_the_scored_tokens_is_no_leak() -> None:
    """A part by the header's count is known token by token, so that what was learned is not what is scored."""
    assert ways(HEADER.replace("PART", "held // 2 :") + SCORE + MEASURE) == set()
