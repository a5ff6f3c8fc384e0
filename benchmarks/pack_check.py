"""Check files that `pack.py --keep DIR` wrote: every interpreter decodes and compiles them, and they load as before.

Usage: python benchmarks/pack_check.py DIR [--smoke] [--timeout S] [--rows ROWS.jsonl]

Without --smoke: each packed file is unpacked statically, the text inside is held against the original's tree after the
declared transforms (equal bytecode but for a one-to-one renaming), then every interpreter on PATH (3.10 to 3.13)
decodes the file and compiles it and the text (its `exec` is replaced: no line of a submission runs).
With --smoke: original and packed file are loaded in the sandbox; for those whose original passes, the packed one must
pass, decoded and as shipped, with the same settings and names of attributes (which is what state_dict keys are made
of). Parameters are counted on the packed text with the names kept by which `pgolf smoke` finds the model.
"""

from __future__ import annotations

import argparse
import ast
import json
import tempfile
from pathlib import Path
from typing import Any

from auditor.frontend.parse import parse
from auditor.limits import DEFAULT_LIMITS
from auditor.model.smoke import SmokeLevel, SmokeOutcome, SmokeReport
from auditor.packer import alpha, passes, selfread
from auditor.packer.facts import gather
from auditor.packer.options import Level, PackOptions
from auditor.packer.source import read
from auditor.packer.verify import decode_elsewhere
from auditor.unpack import unpack
from auditor.usecases.pack import pack
from auditor.usecases.smoke import SmokeOptions, smoke


def difference(original: bytes, inside: str) -> str:
    """Return how the text differs from the original after the declared transforms, "" where only names do.

    Whether self-reads were rewritten depends on the carrier, so either will do.
    """
    found = ""
    for rewritten in (True, False):
        tree = ast.parse(read(original, "train_gpt.py", (3, 10), DEFAULT_LIMITS).text)
        facts = gather(tree)
        if rewritten:
            selfread.rewrite(tree)
        tree, _, _ = passes.apply(tree, facts, ())
        found = alpha.difference(alpha.flat(tree), inside)
        if not found:
            break
    return found


def everywhere(original: bytes, data: bytes) -> dict[str, Any]:
    """Return which interpreters decoded and compiled a packed file, and whether it is still the same program."""
    unpacked = unpack(data, "train_gpt.py", lambda _: None, DEFAULT_LIMITS.unpack)
    if len(unpacked.layers) == 1 or any(o.span.layer == 0 for o in unpacked.opaque):
        return {"static": False}
    inside = unpacked.layers[1].raw
    found = decode_elsewhere(data, inside)
    row: dict[str, Any] = {"static": True, "difference": difference(original, inside.decode())}
    return row | {d.version: d.ok or d.detail for d in found}


LOOKED_FOR = ["args", "h", "hp", "hparams", "cfg", "config", "params", "opt", "a", "device", "rank", "world_size"]
"""Names by which the smoke test finds the model's constructor call; renamed, they would end its search early."""


def attributes(raw: bytes) -> set[str]:
    """Return the names of the attributes that the decoded text sets."""
    tree = parse(unpack(raw, "train_gpt.py", lambda _: None, DEFAULT_LIMITS.unpack).payload.raw).tree
    nodes = ast.walk(tree or ast.Module([], []))
    return {n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}


def loaded(raw: bytes, level: SmokeLevel, timeout: float) -> SmokeReport:
    """Smoke-test one file under its usual name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train_gpt.py")
        path.write_bytes(raw)
        return smoke(path, SmokeOptions(level=level, timeout=timeout))[0]


def named_alike(raw: bytes) -> bytes:
    """Return the text inside a packed file with the names kept that the smoke test looks for (classes included)."""
    tree = parse(unpack(raw, "train_gpt.py", lambda _: None, DEFAULT_LIMITS.unpack).payload.raw).tree
    classes = [n.name for n in ast.walk(tree or ast.Module([], [])) if isinstance(n, ast.ClassDef)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train_gpt.py")
        path.write_bytes(raw)
        return pack(path, PackOptions(level=Level.FAST, keep=frozenset(LOOKED_FOR + classes))).carried


def settings(report: SmokeReport) -> tuple[dict[str, object], list[str]]:
    """Return the settings by name, and the values of module-level constants, which may be renamed."""
    found = report.facts.hyperparameters
    loose = sorted(repr(h.value) for h in found if h.origin == "module")
    return {h.name: h.value for h in found if h.origin != "module"}, loose


def compare(original: Path, packed: Path, timeout: float) -> dict[str, Any]:
    """Return how the two loaded and what differs."""
    source, data = original.read_bytes(), packed.read_bytes()
    before = loaded(source, SmokeLevel.MODEL, timeout)
    row: dict[str, Any] = {"before": before.judgement.outcome.value, "why": before.judgement.reason}
    if before.judgement.outcome is not SmokeOutcome.PASS:
        return row
    after = loaded(data, SmokeLevel.IMPORT, timeout)
    alike = loaded(named_alike(source), SmokeLevel.MODEL, timeout)
    (old, constants), (new, others) = settings(before), settings(after)
    return row | {
        "after": after.judgement.outcome.value,
        "after_why": f"{after.judgement.reason} {after.judgement.exception}".strip(),
        "shipped": after.shipped.outcome.value if after.shipped is not None else None,
        "settings": len(old) + len(constants),
        "changed": sorted(name for name in {*old, *new} if old.get(name) != new.get(name)),
        "constants_equal": constants == others,
        "parameters": [before.facts.parameters, alike.facts.parameters],
        "problem": [before.facts.parameters_problem, alike.facts.parameters_problem],
        "attributes": len(attributes(source)),
        "attributes_changed": sorted(attributes(source) ^ attributes(data)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--timeout", type=float, default=300.0)
    parser.add_argument("--rows", type=Path, required=True, help="append rows here, and skip those that are there")
    chosen = parser.parse_args()
    done = (
        {json.loads(line)["file"] for line in chosen.rows.read_text().splitlines()} if chosen.rows.exists() else set()
    )
    for packed in sorted(chosen.folder.glob("*.py")):
        if packed.name in done:
            continue
        original = chosen.folder / f"{packed.name.split('.')[0]}.original"
        if chosen.smoke:
            row = compare(original, packed, chosen.timeout)
        else:
            row = everywhere(original.read_bytes(), packed.read_bytes())
        with chosen.rows.open("a") as file:
            file.write(json.dumps({"file": packed.name} | row) + "\n")
        print(packed.name, row, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
