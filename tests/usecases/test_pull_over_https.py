"""A pull request by https URL: git's own client against a server of ours with a certificate of ours."""

from __future__ import annotations

import functools
import http.server
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.errors import IntakeError
from auditor.intake.snapshot import complaint
from auditor.model.verdict import Verdict
from auditor.usecases.audit import audit_pull
from tests.usecases.repository import FLAGGED, git, pull, repository

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return None


def _certificate(folder: Path) -> Path:
    target = folder / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(folder / "key"), "-out", str(folder / "cert")]
    subprocess.run(command, check=True, capture_output=True)
    target.write_text((folder / "key").read_text() + (folder / "cert").read_text())
    return target


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A repository whose files an https server hands out, and the certificate that it shows."""
    folder = tmp_path_factory.mktemp("https")
    root = repository(folder / "repo")
    pull(root, 7, FLAGGED)
    git(root, "checkout", "-q", "main")
    git(root, "update-server-info")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = _certificate(folder)
    context.load_cert_chain(certificate)
    server = http.server.ThreadingHTTPServer(("localhost", 0), functools.partial(_Quiet, directory=str(root / ".git")))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_port}/", certificate
    server.shutdown()


def test_a_pull_request_is_fetched_over_https(served: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the URL and the number; the user's certificate bundle counts."""
    url, certificate = served
    monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
    report = audit_pull(url, 7)
    assert report.root == f"{url}#7" and report.head is not None
    assert [one.verdict for one in report.submissions] == [Verdict.COMPLIANCE_FLAG]


def test_a_server_that_nobody_vouches_for_is_refused(served: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the certificate there is no answer, whatever variables ask git to look away."""
    monkeypatch.delenv("GIT_SSL_CAINFO", raising=False)
    monkeypatch.setenv("GIT_SSL_NO_VERIFY", "1")
    with pytest.raises(IntakeError, match=r"cannot fetch.*certificate"):
        audit_pull(served[0], 7)


def test_a_pull_request_that_is_not_there_is_named(served: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The message holds git's own reason, so that a wrong number and a lost connection are told apart."""
    url, certificate = served
    monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
    with pytest.raises(IntakeError, match=r"pull request 8 from .*refs/pull/8/head"):
        audit_pull(url, 8)


def test_the_reason_of_a_failure_is_one_printable_line() -> None:
    """What a server says reaches the terminal without control characters, and short."""
    assert complaint(b"remote: x\nfatal: no \x1b[2Jway\nerror: more\n") == "fatal: no ?[2Jway"
    assert complaint(b"remote: nothing else") == "it gave no reason"
    assert len(complaint(b"fatal: " + b"a" * 5000)) == 200
