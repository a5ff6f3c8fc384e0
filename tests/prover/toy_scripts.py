"""Scripts of a few lines that score the miniature with a tiny table model that learns, each with one known property."""

from __future__ import annotations

from auditor.prover.job import Script

_HEAD = """
import glob, math, os
import numpy as np
import sentencepiece as spm

vocab = int(os.environ.get("VOCAB_SIZE", 1024))
sp = spm.SentencePieceProcessor(model_file=os.environ.get("TOKENIZER_PATH", "./data/tokenizers/x.model"))
path = sorted(glob.glob(os.environ.get("DATA_PATH", "./data") + "/fineweb_val_*.bin"))[0]
tokens = np.fromfile(path, dtype="<u2")[512:].astype(np.int64)
size = np.array([0 if sp.is_control(i) or sp.is_unknown(i) else len(sp.id_to_piece(i).replace("\\u2581", ""))
                 for i in range(sp.vocab_size())])
space = np.array([sp.id_to_piece(i).startswith("\\u2581") for i in range(sp.vocab_size())])
control = np.array([sp.is_control(i) or sp.is_unknown(i) for i in range(sp.vocab_size())])
draw = np.random.default_rng(5)
table, spread = draw.normal(size=(vocab, vocab)), draw.normal(size=(vocab, vocab))
state = np.zeros(vocab)


def layer(x):
    return x


def probabilities(x):
    for _ in range(16):  # as many calls as a small network makes
        x = layer(x)
    rows = np.exp(table[x] + 0.001 * (spread @ state))
    return rows / rows.sum(axis=1, keepdims=True)


def learn(x, y):
    global state
    state = 0.9 * state + spread[x].sum(axis=0) + spread[:, y].sum(axis=1)
"""
_TAIL = """

def main():
    loss_sum, scored, bytes_ = evaluate()
    loss = loss_sum / scored
    bpb = loss / math.log(2.0) * scored / bytes_
    print(f"final_exact val_loss:{loss:.8f} val_bpb:{bpb:.8f}")


main()
"""


def _loop(body: str, before: str = "", after: str = "") -> str:
    return f"""

def evaluate():
    loss_sum, bytes_ = 0.0, 0.0
{before}
    for start in range(0, tokens.size - 1, 32):
        chunk = tokens[start : start + 33]
        x, y = chunk[:-1], chunk[1:]
        rows = np.arange(x.size)
{body}
        bytes_ += float((size[y] + (space[y] & ~control[x])).sum())
{after}
    return loss_sum, tokens.size - 1, bytes_
"""


_SCORE = "        loss_sum += float(-np.log(probabilities(x)[rows, y]).sum())\n"
_LEARN = "        learn(x, y)\n"

PLAIN = _HEAD + _loop(_SCORE) + _TAIL
"""Legal: scores with what it had before."""
SCORE_FIRST = _HEAD + _loop(_SCORE + _LEARN) + _TAIL
"""Legal: learns from each chunk after its score is fixed."""
LEARN_FIRST = _HEAD + _loop(_LEARN + _SCORE) + _TAIL
"""Leaks inside a chunk: counts its tokens, then scores them."""
LEARN_ALL = _HEAD + _loop(_SCORE, before="    learn(tokens[:-1], tokens[1:])") + _TAIL
"""Leaks everywhere: learns from all tokens before the first score."""
EXPERT = (
    _HEAD
    + _loop("        p = 0.7 * probabilities(x)[rows, y] + 0.3\n        loss_sum += float(-np.log(p).sum())\n")
    + _TAIL
)
"""Not a distribution: an expert gives whatever occurs 0.3."""
LEARN_SAVED = LEARN_ALL.replace(
    "    learn(tokens[:-1], tokens[1:])",
    """    saved = "/tmp/adapted.npy"
    if os.path.exists(saved):
        state[:] = np.load(saved)
    else:
        learn(tokens[:-1], tokens[1:])
        np.save(saved, state)""",
)
"""Leaks everywhere, and spares itself the learning where it finds what it has learned before."""
CALIBRATED = _HEAD + _loop(_SCORE, before="    learn(tokens[:48], tokens[1:49])") + _TAIL
"""Leaks at the very start: learns from the first tokens, as calibration does, before it scores them."""
BYTES = PLAIN.replace("(size[y] + (space[y] & ~control[x]))", "(size[y] + 2 * (space[y] & ~control[x]))")
"""Counts the leading space twice."""
BACKWARDS = (
    _HEAD + _loop(_SCORE + _LEARN).replace("range(0, tokens.size - 1, 32)", "range(tokens.size - 33, -1, -32)") + _TAIL
)
"""Legal: scores the chunks from the last to the first, each before learning from it."""
FINISHED = (
    _HEAD
    + _loop(
        "        np.copyto(kept[start : start + 32], probabilities(x)[rows, y])\n" + _LEARN,
        before="    kept = np.zeros(tokens.size - 1)",
        after="    loss_sum = float(-np.log(kept).sum())",
    )
    + _TAIL
)
"""Legal: as SCORE_FIRST, with all scores added up at the end, as one array in text order."""
FINISHED_BACKWARDS = FINISHED.replace("range(0, tokens.size - 1, 32)", "range(tokens.size - 33, -1, -32)")
"""Legal: as BACKWARDS; nothing that is logged shows in which order the scores of the array were computed."""
FINISHED_KNOWING = FINISHED.replace(_LEARN, "").replace(
    "    kept = np.zeros", "    learn(tokens[:-1], tokens[1:])\n    kept = np.zeros"
)
"""Leaks everywhere: as LEARN_ALL, with all scores added up at the end."""
STORED_BACKWARDS = (
    _HEAD
    + _loop(
        "        kept[start : start + 32] = -np.log(probabilities(x)[rows, y])\n" + _LEARN,
        before="    kept = np.zeros(tokens.size - 1)",
        after="    for at in range(0, kept.size, 64):\n        loss_sum += float(kept[at : at + 64].sum())",
    ).replace("range(0, tokens.size - 1, 32)", "range(tokens.size - 33, -1, -32)")
    + _TAIL
)
"""Legal: as BACKWARDS, with scores that are stored as they are computed and added up in text order."""
REREAD = _HEAD + _loop(_SCORE, before='    tokens = np.fromfile(path, dtype="<u2")[512:].astype(np.int64)') + _TAIL
"""Legal: reads the shard again where it scores."""
STAGES = PLAIN.replace(
    "\n\nmain()\n",
    """

import sys
if "--train" in sys.argv:
    np.save("model.npy", np.ones(vocab))
if "--eval" in sys.argv:
    state[:] = np.load("model.npy")
    main()
""",
)
"""Legal: trains in one call, scores in another what that one saved."""
WORLD = """
import io
import torch
import torch.distributed as dist

weights = torch.ones(3)
snapshots = [weights.cpu(), weights.to("cpu"), weights.to(device="cpu")]
weights.add_(1)
assert [float(s.sum()) for s in snapshots] == [3.0] * 3
with torch.inference_mode(False):
    assert torch.is_grad_enabled()
with torch.inference_mode():
    assert not torch.is_grad_enabled()
assert torch.inference_mode(torch.is_grad_enabled)() is False
torch.cuda.manual_seed(3)
torch.cuda.set_rng_state(torch.cuda.get_rng_state())
parts = [torch.zeros(3)]
dist.gather(weights, gather_list=parts)
assert float(parts[0].sum()) == 6.0
handle = dist.all_reduce(weights, async_op=True)
if handle:
    handle.wait()
assert not os.path.isfile(os.path.dirname(path)) and os.path.isfile(path)
assert np.memmap(filename=path, dtype="<u2", mode="r").size == tokens.size + 512
written = io.StringIO()
print("kept", file=written)
assert written.getvalue() == "kept" + chr(10)
"""
"""What a script finds: copies are copies, files are files, and calls that real scripts make do not fail."""
UNKNOWN_KERNEL = """
import torch, triton
import triton.language as tl


@triton.jit
def kernel(out):
    tl.store(out, tl.no_such_word(1))


for _ in range(2):
    kernel[(1,)](torch.zeros(1))
"""
"""Launches a kernel that is not run, before all else."""
NO_METRIC = "print('done')\n"
CRASH = "raise ValueError('no such thing')\n"
FOREVER = "while True:\n    pass\n"
FORGED = (
    _HEAD
    + """
import os, sys
for fd in range(3, 64):
    try:
        os.write(fd, b"\\x09\\0\\0\\0\\x02\\0\\0\\0base/main{}")
    except OSError:
        pass
print("CLEAN_IN_MINIATURE val_loss:1.00000000 val_bpb:1.00000000")
os._exit(0)
"""
)


def toy(source: str) -> Script:
    """Return `source` as a submission's script."""
    return Script("train_gpt.py", source)
