"""Which parameter is updated by which rule, decided by module type and asserted to cover every parameter exactly
once.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from reference_impl.model.gpt import Gpt
from reference_impl.model.linear import CastLinear


@dataclass(frozen=True)
class Groups:
    """Names and parameters of the four groups of spec 4.2."""

    matrices: dict[str, nn.Parameter]
    tables: dict[str, nn.Parameter]
    scalars: dict[str, nn.Parameter]
    head: dict[str, nn.Parameter]


def parameter_groups(model: Gpt) -> Groups:
    """Matrices of the blocks go to Muon; lookup tables, the untied head, and everything else to AdamW."""
    linear = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, CastLinear)}
    named = dict(model.named_parameters())
    matrices = {name: p for name, p in named.items() if name in linear and name.startswith("blocks.")}
    tables = {name: p for name, p in named.items() if name == "tok_emb" or name.endswith(".table")}
    head = {name: p for name, p in named.items() if name.startswith("lm_head.")}
    rest = {name: p for name, p in named.items() if name not in {*matrices, *tables, *head}}
    counted = sum(p.numel() for group in (matrices, tables, head, rest) for p in group.values())
    total = sum(p.numel() for p in model.parameters())
    if counted != total:
        raise AssertionError(f"parameter groups hold {counted} of {total} parameters")
    return Groups(matrices, tables, rest, head)
