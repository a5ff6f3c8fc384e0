"""From trained weights to the counted bytes and back.

The container is ours, not a pickle: fixed order, no code, same bytes for the same weights. The ledger counts decimal
bytes of code plus blob; a file is written whole or not at all.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reference_impl.config import QuantConfig
from reference_impl.errors import ArtifactError
from reference_impl.quant.codec import compress, decompress, shuffle_bytes, unshuffle_bytes
from reference_impl.quant.gptq import gptq_round
from reference_impl.quant.lqer import LowRank, low_rank_correction
from reference_impl.quant.rounding import dequantise, entropy_bits, gaussian_bits, round_rows, row_scale

CONTAINER_MAGIC = b"PGR1"
KINDS = ("int8", "float16", "float32")
CODER_OVERHEAD_BITS = 0.05
"""brotli-11 above the order-0 entropy of int6-in-int8, measured in spec 5.3."""


@dataclass(frozen=True)
class SizeLedger:
    """What counts against the limit; all decimal bytes."""

    code: int
    blob: int
    limit: int

    @property
    def total(self) -> int:
        """Code plus blob."""
        return self.code + self.blob

    def check(self) -> SizeLedger:
        """Return self, or raise ArtifactError when over the limit."""
        if self.total > self.limit:
            raise ArtifactError(
                f"expected at most {self.limit} bytes, found {self.total} (code {self.code}, blob {self.blob})"
            )
        return self


def quantise(state: dict[str, Tensor], hessians: dict[str, Tensor], config: QuantConfig) -> dict[str, Tensor]:
    """Turn a state dict into the tensors that are stored: "name|q" int8, "name|s" float16, or "name" as a small float.

    Matrices above `small_tensor` elements are rounded (GPTQ where a Hessian is given); the rest is kept: 2-D as
    float16, scalars and vectors as float32.
    """
    stored: dict[str, Tensor] = {}
    errors: dict[str, Tensor] = {}
    for name, tensor in state.items():
        tensor = tensor.detach().float().cpu()
        if tensor.ndim != 2 or tensor.numel() <= config.small_tensor:
            stored[name] = tensor.half() if tensor.ndim >= 2 else tensor
            continue
        levels, k = _grid(name, config)
        scale_R = row_scale(tensor, config.method, levels, k)
        if config.gptq and name in hessians:
            q_RC = gptq_round(tensor, hessians[name].cpu(), scale_R, levels)
        else:
            q_RC = round_rows(tensor, scale_R, levels)
        stored[f"{name}|q"], stored[f"{name}|s"] = q_RC, scale_R.half()
        errors[name] = tensor - dequantise(q_RC, scale_R)
    worst = sorted(errors, key=lambda name: -float(errors[name].norm()))[: config.lqer_top]
    for name in worst:
        low = low_rank_correction(errors[name], config.lqer_rank)
        parts = {"a": low.a, "as": low.a_scale.reshape(1), "b": low.b, "bs": low.b_scale}
        stored.update({f"{name}|{part}": tensor for part, tensor in parts.items()})
    return stored


def restore(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """Undo `quantise` up to its rounding: a float32 state dict."""
    state: dict[str, Tensor] = {}
    for key, tensor in stored.items():
        name, _, part = key.partition("|")
        if not part:
            state[name] = tensor.float()
        elif part == "q":
            weight = dequantise(tensor, stored[f"{name}|s"])
            if f"{name}|a" in stored:
                a, a_scale, b, b_scale = (stored[f"{name}|{part}"] for part in ("a", "as", "b", "bs"))
                weight = weight + LowRank(a, a_scale, b, b_scale).dense()
            state[name] = weight
    return state


def pack(stored: dict[str, Tensor], config: QuantConfig) -> bytes:
    """Serialise in fixed order (all int8, then float16, then float32; by name) and compress."""
    order = sorted(stored, key=lambda key: (KINDS.index(_kind(stored[key])), key))
    header = json.dumps([[key, _kind(stored[key]), list(stored[key].shape)] for key in order]).encode()
    sections = [b"".join(stored[k].numpy().tobytes() for k in order if _kind(stored[k]) == kind) for kind in KINDS]
    if config.byte_shuffle:
        sections[1] = shuffle_bytes(sections[1])
    body = struct.pack("<4sII?", CONTAINER_MAGIC, len(header), len(sections[1]), config.byte_shuffle)
    return compress(body + header + b"".join(sections), config.codec)


def unpack(blob: bytes) -> dict[str, Tensor]:
    """Undo `pack` exactly; ArtifactError when the blob is damaged."""
    payload = decompress(blob)
    magic, header_bytes, half_bytes, shuffled = struct.unpack_from("<4sII?", payload)
    if magic != CONTAINER_MAGIC:
        raise ArtifactError(f"expected magic {CONTAINER_MAGIC!r}, found {magic!r}")
    position = struct.calcsize("<4sII?")
    entries = json.loads(payload[position : position + header_bytes])
    data = bytearray(payload[position + header_bytes :])
    int8_bytes = sum(int(np.prod(shape)) for _, kind, shape in entries if kind == "int8")
    if shuffled:
        data[int8_bytes : int8_bytes + half_bytes] = unshuffle_bytes(bytes(data[int8_bytes : int8_bytes + half_bytes]))
    stored, offset = {}, 0
    for key, kind, shape in entries:
        count = int(np.prod(shape))
        array = np.frombuffer(data, dtype=kind, count=count, offset=offset).reshape(shape)
        stored[key] = torch.from_numpy(array.copy())
        offset += array.nbytes
    if offset != len(data):
        raise ArtifactError(f"expected {offset} bytes of tensors, found {len(data)}")
    return stored


def predict_bytes(state: dict[str, Tensor], config: QuantConfig) -> float:
    """Blob bytes that SDClip on Gaussian rows predicts (spec 5.3), without compressing anything."""
    total = 0.0
    for name, tensor in state.items():
        if tensor.ndim != 2 or tensor.numel() <= config.small_tensor:
            total += tensor.numel() * (2 if tensor.ndim >= 2 else 4)
            continue
        total += tensor.numel() * (gaussian_bits(*_grid(name, config)) + CODER_OVERHEAD_BITS) / 8 + 2 * tensor.size(0)
    return total


def entropy_bytes(stored: dict[str, Tensor]) -> float:
    """Blob bytes that the order-0 entropy of what is stored predicts: integers per tensor, floats per byte plane.

    A general compressor comes within a few percent of it, from either side: it pays overhead, and it sees rows of
    different spread that one histogram per tensor does not.
    """
    bits = 0.0
    for tensor in stored.values():
        if tensor.dtype == torch.int8:
            bits += tensor.numel() * entropy_bits(tensor)
    for kind in (torch.float16, torch.float32):
        parts = [tensor.flatten() for tensor in stored.values() if tensor.dtype == kind]
        if parts:
            planes = torch.cat(parts).view(torch.uint8).view(-1, torch.tensor([], dtype=kind).element_size())
            bits += sum(plane.numel() * entropy_bits(plane) for plane in planes.T)
    return bits / 8


def prune_to_fit(stored: dict[str, Tensor], config: QuantConfig, target: int) -> tuple[dict[str, Tensor], bytes, int]:
    """Zero the cheapest entries with |q| = 1 (least scale^2 first) until the blob is at most `target` decimal bytes.

    Returns (tensors, blob, entries zeroed); ArtifactError when zeroing all of them is not enough. About 16
    compressions.
    """
    blob = pack(stored, config)
    if len(blob) <= target:
        return stored, blob, 0
    keys = sorted(key for key in stored if key.endswith("|q"))
    costs = [stored[f"{key[:-2]}|s"].float()[:, None].square().expand(stored[key].shape) for key in keys]
    ones = [stored[key].abs() == 1 for key in keys]
    ranked = torch.sort(torch.cat([cost[one] for cost, one in zip(costs, ones, strict=True)])).values
    low, high = 0, len(ranked)
    best: tuple[dict[str, Tensor], bytes, int] | None = None
    while low < high:
        middle = (low + high) // 2
        limit = ranked[middle]
        trial = dict(stored)
        for key, cost, one in zip(keys, costs, ones, strict=True):
            trial[key] = stored[key].masked_fill(one & (cost <= limit), 0)
        blob = pack(trial, config)
        if len(blob) <= target:
            best, high = (trial, blob, int((ranked <= limit).sum())), middle
        else:
            low = middle + 1
    if best is None:
        raise ArtifactError(f"expected a blob of at most {target} bytes, found {len(blob)} with every |q| = 1 zeroed")
    return best


def _grid(name: str, config: QuantConfig) -> tuple[int, float]:
    """Levels a side and SDClip's k: lookup tables and the head on the finer grid."""
    if config.method == "quantile8" or name == "tok_emb" or name.endswith(".table") or name.startswith("lm_head"):
        return config.embed_levels, config.embed_k
    return config.matrix_levels, config.matrix_k


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
