"""Every cap in the project, each with its reason. Nothing else in the package may hold a bare limit.

One frozen dataclass per area, gathered in `Limits`; pass the area that a function needs, not the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """Caps on what is read from a PR directory."""

    file_bytes: int = 24_000_000
    """Largest file read whole: a 16 MB artifact beside its script, with slack; the largest real log is 2.2 MB."""
    script_bytes: int = 8_000_000
    """Largest script analysed; the largest real one is 0.6 MB."""
    tree_files: int = 20_000
    """Files below one root; the largest real pull request adds about 600."""
    tree_depth: int = 24
    """Directory nesting; real submissions use at most 5 levels below their folder."""
    total_bytes: int = 1_000_000_000
    """Bytes read below one root; the 89 record folders of the head of the contest hold about 60 MB."""
    git_seconds: float = 30.0
    """One git plumbing command; listing the whole contest tree takes under 0.1 s."""
    git_output_bytes: int = 64_000_000
    """Output of one git command; a tree listing of the contest is about 0.2 MB."""
    fetch_seconds: float = 900.0
    """Fetching one pull request with the contest's history, about 210 MB, over a slow line."""


@dataclass(frozen=True, slots=True)
class UnpackLimits:
    """Caps on decoding shims."""

    layers: int = 8
    """Nested shims; every real one has one layer."""
    layer_bytes: int = 16_000_000
    """Decoded bytes of one layer: a bomb stops here; the largest real payload is 0.3 MB."""
    fold_steps: int = 1_000_000
    """Steps of the constant evaluator; a real shim needs under 100, a per-byte XOR of a 20 KB payload 200,000."""
    fold_loop: int = 200_000
    """Rounds of one loop or comprehension that are folded."""
    call_depth: int = 24
    """Functions of a shim that call each other."""
    fold_bytes: int = 32_000_000
    """Bytes held by folded constants together."""


@dataclass(frozen=True, slots=True)
class FrontendLimits:
    """Caps on parsing."""

    child_seconds: float = 20.0
    """A parse in a child process; real payloads parse in under 0.2 s."""
    child_memory_bytes: int = 2_000_000_000
    """Address space of that child: deep nesting fails here and not in the auditor."""
    nesting: int = 180
    """Bracket nesting that the host's parser is trusted with in process (CPython's own limit is 200)."""
    in_process_bytes: int = 2_000_000
    """Source parsed without trying it in a child first; the largest real payload is 0.4 MB."""


@dataclass(frozen=True, slots=True)
class InterpLimits:
    """Caps on abstract interpretation of one environment."""

    steps: int = 1_500_000
    """Statements and expressions evaluated; the corpus median is about 40,000."""
    second_steps: int = 150_000
    """A longer run is not followed once more with switches turned: the slowest fifth of the scripts would take twice as
    long for it, and all it gives are notes."""
    call_depth: int = 60
    """Call stack; real scripts stay below 25."""
    events: int = 60_000
    """Length of the event trace."""
    network_steps: int = 200_000
    """Steps in which the inside of one network is followed; real ones take under 20,000."""


@dataclass(frozen=True, slots=True)
class LogLimits:
    """Caps on reading logs."""

    file_bytes: int = 20_000_000
    """Largest log read; the largest real one is 2.17 MB."""
    line_chars: int = 20_000
    """Characters of a line that patterns see; the rest is kept, unread."""
    lines: int = 400_000
    """Lines of one log."""


@dataclass(frozen=True, slots=True)
class CommandLimits:
    """Caps on reading run commands out of READMEs and shell scripts."""

    file_bytes: int = 2_000_000
    """Largest README or shell script read; the largest real README is 0.2 MB."""
    commands: int = 400
    """Run commands of one submission; real ones state fewer than 60."""


@dataclass(frozen=True, slots=True)
class ReportLimits:
    """Caps on what is printed."""

    message_chars: int = 2_000
    source_line_chars: int = 240
    path_steps: int = 60
    problems: int = 20
    """Changes outside the record folder that are listed before the verdict; a pull request from a stale fork has
    thousands, and they must not push the verdict out of a capped comment. The JSON report holds all."""
    json_bytes: int = 64_000_000
    """Largest JSON report read back; a real submission's is under 0.1 MB, a checkout of 46 records under 4 MB."""


@dataclass(frozen=True, slots=True)
class SarifLimits:
    """GitHub's limits on a SARIF upload (docs.github.com, "SARIF support for code scanning")."""

    results: int = 5_000
    """Per run: more than 25,000 are rejected, and only the first 5,000 by severity are kept."""
    flow_steps: int = 1_000
    """Thread-flow locations of one result: more than 10,000 are rejected, the first 1,000 shown."""
    message_chars: int = 1_000
    """A message is shown up to about 1,024 characters."""
    result_bytes: int = 9_000_000
    """Of all results as JSON: a file of more than 10 MB, compressed, is rejected, and this one is not compressed."""


@dataclass(frozen=True, slots=True)
class GithubLimits:
    """GitHub's limits on what a job may show."""

    annotations: int = 10
    """Annotations of one level per step; further ones are dropped silently, so the last says how many."""
    annotation_chars: int = 4_000
    """A message of 4 kB shows whole; longer ones are cut."""
    comment_chars: int = 65_000
    """A comment of more than 65,536 characters is rejected."""
    summary_bytes: int = 1_000_000
    """A step summary of more than 1 MiB fails the step's upload."""


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """Caps on one run of untrusted code."""

    wall_seconds: float = 120.0
    """Whole run; the slowest import with a forward pass took 12 s on two loaded cores."""
    cpu_seconds: int = 60
    """CPU time; the median smoke run uses about 3 s."""
    address_bytes: int = 4_000_000_000
    """Address space: importing torch needs 0.8 GB, a forward pass 1 GB, thread arenas the rest."""
    resident_bytes: int = 2_000_000_000
    """Resident memory, watched; the largest measured smoke run held 0.6 GB."""
    processes: int = 128
    """Threads (processes cannot be made at all); scripts start at most a few dozen."""
    file_bytes: int = 128_000_000
    """Largest file written."""
    scratch_bytes: int = 256_000_000
    """The scratch as a whole, files placed in it included."""
    open_files: int = 256
    output_bytes: int = 1_000_000
    """Each of stdout, stderr and the report channel; one byte more ends the run."""
    collect_files: int = 256
    collect_file_bytes: int = 64_000_000
    collect_total_bytes: int = 256_000_000
    grace_seconds: float = 10.0
    """What the parent waits beyond `wall_seconds` before it kills the supervisor too."""


@dataclass(frozen=True, slots=True)
class HtmlLimits:
    """Caps that keep an HTML report readable by a browser."""

    context_lines: int = 4
    """Lines shown around a remark."""
    line_chars: int = 2_000
    """Characters of one source line: a shim's literal has up to 60,000 and nobody reads them."""
    whole_lines: int = 60_000
    """Source lines in one file; beyond that (many submissions) only lines near a remark are kept."""


@dataclass(frozen=True, slots=True)
class FleetLimits:
    """Caps on one task of a corpus run."""

    task_seconds: float = 300.0
    """Wall time of one pull request, a guard against a hang: the slowest real one carries dozens of folders and takes
    about 30 s on an idle core; a machine under load must not turn that into a failure."""
    worker_memory_bytes: int = 4_000_000_000
    """Address space of a worker: a parse child's cap and as much again; workers use 0.3 GB of it."""
    worker_tasks: int = 200
    """Tasks after which a worker is replaced, so that nothing grows over a whole run."""


@dataclass(frozen=True, slots=True)
class CompileLimits:
    """Caps on compiling a C helper of a submission."""

    seconds: int = 30
    """The largest of 12 real helpers takes 0.9 s at -O3."""
    source_bytes: int = 1_000_000
    """Sources and headers; the largest real helper has 21 kB."""
    library_bytes: int = 8_000_000
    """The largest real library has 40 kB."""
    address_bytes: int = 2_000_000_000
    """Of the compiler, which takes 0.2 GB for real helpers."""
    scratch_bytes: int = 64_000_000
    """Sources, intermediate files and the library."""
    builds: int = 4
    """Libraries of one proof: real scripts build one, two at most."""


@dataclass(frozen=True, slots=True)
class ProverLimits:
    """Caps on one behavioural proof."""

    budget_seconds: float = 120.0
    """All conditions of one submission; the median on two idle cores is given in the README."""
    run_seconds: float = 60.0
    """One run of the script, training included; the slowest of 89 real ones took 24 s under load."""
    cpu_seconds: int = 120
    """CPU time of any one process of a job: a run that ignores its time ends here."""
    result_bytes: int = 64_000_000
    """What one variant may return; the largest real one returned 22 MB."""
    report_bytes: int = 256_000_000
    """What the jobs of one box may return altogether."""
    result_lines: int = 4_000
    """Printed lines of a result that are read: what the harness keeps; each may have to be sought in every trace."""
    resident_bytes: int = 6_000_000_000
    """Memory of all processes of a job, pages that forks share counted each time: three processes of 0.6 GB."""
    address_bytes: int = 8_000_000_000
    """Address space of each: torch maps more than it uses."""
    targets: int = 2_048
    """Scored tokens of the small validation text: 32 sequences of 64."""
    targets_large: int = 16_384
    """Scored tokens of the large one: past hard-coded thresholds of 10,000 tokens."""
    submission_bytes: int = 64_000_000
    """Files of the submission placed beside the script; an artifact has at most 16 MB."""
    compiling: CompileLimits = field(default_factory=CompileLimits)


@dataclass(frozen=True, slots=True)
class PackLimits:
    """Caps on packing."""

    source_bytes: int = 2_000_000
    """Largest source packed; the largest real script is 0.6 MB."""
    decode_seconds: float = 10.0
    """Longest time that a shim's own decoder may take on one core; 600 s runs can spare it."""
    cm_symbols: int = 70_000
    """Longest text for the context-mixing coder: at about 140 us a symbol its decoding stays below `decode_seconds`."""
    tuned_symbols: int = 70_000
    """Longest text whose coder parameters are searched (one trial takes as long as decoding)."""
    symbols: int = 100_000
    """Longest text that the static decoder of context-mixing shims unpacks."""
    package_files: int = 400
    """Modules of a package that is bundled into one script."""


@dataclass(frozen=True, slots=True)
class Limits:
    """All caps."""

    intake: IntakeLimits = field(default_factory=IntakeLimits)
    unpack: UnpackLimits = field(default_factory=UnpackLimits)
    frontend: FrontendLimits = field(default_factory=FrontendLimits)
    interp: InterpLimits = field(default_factory=InterpLimits)
    logs: LogLimits = field(default_factory=LogLimits)
    commands: CommandLimits = field(default_factory=CommandLimits)
    report: ReportLimits = field(default_factory=ReportLimits)
    pack: PackLimits = field(default_factory=PackLimits)
    sarif: SarifLimits = field(default_factory=SarifLimits)
    github: GithubLimits = field(default_factory=GithubLimits)
    html: HtmlLimits = field(default_factory=HtmlLimits)
    fleet: FleetLimits = field(default_factory=FleetLimits)
    sandbox: SandboxLimits = field(default_factory=SandboxLimits)
    prover: ProverLimits = field(default_factory=ProverLimits)


DEFAULT_LIMITS = Limits()
