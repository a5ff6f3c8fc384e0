"""Presets, overrides and the parameter counts that published logs state."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

import pytest
import torch

import reference_impl
from reference_impl.config import CHOICES, Config, apply_overrides, validate
from reference_impl.errors import ConfigError
from reference_impl.model.gpt import Gpt
from reference_impl.presets import PRESET_NAMES, preset

PACKAGE = Path(reference_impl.__file__).parent


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_every_preset_is_consistent(name: str) -> None:
    """Each named preset passes validation and carries its own name."""
    assert validate(preset(name)).name == name


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("cpu_tiny", {}, 214_288),
        ("naive_baseline", {}, 17_059_912),
        ("sp1024_398", {}, 26_829_913),
        ("sp1024_1148", {}, 26_928_220),
        ("sp1024_1406", {}, 26_928_220),
        ("sp1024_865", {}, 26_809_543),
        ("sp1024_865", {"bigram_rows": 1024}, 26_744_007),
        ("sp8192_1541", {"loop_start": 4, "loop_end": 5, "lanes": "none"}, 35_943_512),
        ("sp8192_1541", {"lanes": "p0"}, 35_944_536),
        ("sp8192_1541", {}, 35_944_602),
        ("sp8192_1541", {"smear": "v2", "head_gate": "sparse", "lanes": "p3"}, 35_945_671),
    ],
)
def test_parameter_counts_match_published_logs(name: str, changes: dict[str, object], expected: int) -> None:
    """The model has exactly the parameters that the log of its pull request prints."""
    config = preset(name)
    with torch.device("meta"):
        model = Gpt(dataclasses.replace(config.model, **changes), config.run.sequence)
    assert sum(p.numel() for p in model.parameters()) == expected


def test_every_field_is_read_by_the_code() -> None:
    """No preset field is dead: each is read as an attribute somewhere outside config.py and presets.py."""
    read = set()
    for path in PACKAGE.rglob("*.py"):
        if path.name in ("config.py", "presets.py"):
            continue
        read |= {node.attr for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Attribute)}
    fields = {f.name for section in dataclasses.fields(Config) if section.name != "name" for f in _fields(section.name)}
    assert fields - read == set()


def test_field_names_are_unique_across_sections() -> None:
    """A field name means one thing, so that the previous test cannot be fooled by a namesake."""
    names = [f.name for section in dataclasses.fields(Config) if section.name != "name" for f in _fields(section.name)]
    assert len(names) == len(set(names))


def _fields(section: str) -> tuple[dataclasses.Field, ...]:
    return dataclasses.fields(getattr(Config(), section))


def test_overrides_change_the_named_field_with_its_type() -> None:
    """Numbers, words and tuples arrive as the field's own type."""
    config = apply_overrides(
        preset("cpu_tiny"), ["optim.matrix_lr=1", "model.smear=v2", "model.value_embed_layers=(1, 2)"]
    )
    assert config.optim.matrix_lr == 1.0 and isinstance(config.optim.matrix_lr, float)
    assert config.model.smear == "v2" and config.model.value_embed_layers == (1, 2)


@pytest.mark.parametrize(
    "override",
    [
        "optim.matrix_lrr=1",
        "matrix_lr=1",
        "nothing.here=1",
        "run.iterations=1.5",
        "run.compile=2",
        "model.smear=v3",
        "run.batch_tokens=1000",
        "model.heads=5",
        "quant.calibration=none",
        "quant.calibration=validation",
        "optim",
    ],
)
def test_wrong_overrides_are_errors(override: str) -> None:
    """An unknown name, a wrong type, an unknown word or a contradiction stops the run before it starts."""
    with pytest.raises(ConfigError):
        apply_overrides(preset("cpu_tiny"), [override])


def test_choices_name_real_fields() -> None:
    """Each closed set of words belongs to a field, and no calibration source is validation."""
    for name in CHOICES:
        section, key = name.split(".")
        assert hasattr(getattr(Config(), section), key)
    assert CHOICES["quant.calibration"] == ("none", "train", "generated")


def test_unknown_preset_lists_the_known_ones() -> None:
    """The error for a misspelt preset helps."""
    with pytest.raises(ConfigError, match="sp8192_1541"):
        preset("sp8192_1542")


def test_sources_parse_as_python_3_10() -> None:
    """Every module of the package parses with the oldest grammar that the contest's machines ran."""
    sources = sorted(PACKAGE.rglob("*.py"))
    parsed = [ast.parse(path.read_text("utf-8"), feature_version=(3, 10)) for path in sources]
    assert len(parsed) > 30 and all(isinstance(tree, ast.Module) for tree in parsed)
