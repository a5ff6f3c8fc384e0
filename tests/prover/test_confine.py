"""A box that dies under a job is that job's failure; a machine without a sandbox is none of the submission's."""

from __future__ import annotations

import os
import struct

import pytest

pytest.importorskip("numpy")

from auditor.errors import SandboxUnavailable
from auditor.limits import ProverLimits
from auditor.prover import confine
from auditor.prover.confine import Box, JobFailed
from auditor.sandbox.request import SandboxRequest


@pytest.mark.parametrize(("ready", "raised"), [(True, JobFailed), (False, SandboxUnavailable)])
def test_a_box_that_ends_without_a_record(
    monkeypatch: pytest.MonkeyPatch, ready: bool, raised: type[Exception]
) -> None:
    """A submission may bring it about once the box has run: the proofs of others go on."""

    def ending(request: SandboxRequest) -> None:
        assert request.dialogue is not None
        if ready:
            request.dialogue.received(struct.pack("<II", 5, 0) + b"ready")
            os.read(request.dialogue.stdin, 8)
        raise SandboxUnavailable("ended without a record")

    monkeypatch.setattr(confine, "run", ending)
    box = Box({}, 5.0, ProverLimits())
    with pytest.raises(raised, match="ended without a record"):
        box.job({}, "nonce", 5.0)
