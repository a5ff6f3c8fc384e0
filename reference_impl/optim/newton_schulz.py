"""Orthogonalise a batch of matrices by an odd polynomial iteration, without a decomposition.

Sources: Muon (kellerjordan.github.io/posts/muon); Polar Express (arXiv 2505.16932). Measured singular values of the
result on Gaussian 256x512 input: Jordan-5 in [0.68, 1.13], Jordan-3 in [0.69, 1.20], Polar-5 in [0.86, 1.14] (spec
4.1).
"""

from __future__ import annotations

from torch import Tensor

JORDAN = (3.4445, -4.7750, 2.0315)
POLAR = (
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
)


def orthogonalise(update_NRC: Tensor, kind: str = "jordan", steps: int = 5) -> Tensor:
    """Return approximately U V^T of each matrix (N, R, C); zero stays zero. bfloat16 on GPUs, the input's type on
    CPUs.
    """
    x = update_NRC.bfloat16() if update_NRC.is_cuda else update_NRC
    tall = x.size(-2) > x.size(-1)
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for step in range(steps):
        a, b, c = JORDAN if kind == "jordan" else POLAR[min(step, len(POLAR) - 1)]
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return (x.mT if tall else x).to(update_NRC.dtype)


def normalise_rows(update_NRC: Tensor) -> Tensor:
    """Divide each row by its L2 norm (MuonEq-R, arXiv 2603.28254): badly scaled rows no longer starve the iteration."""
    return update_NRC / update_NRC.norm(dim=-1, keepdim=True).clamp_min(1e-7)
