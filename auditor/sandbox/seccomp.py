"""The system call filter of the sandbox as a classic BPF program.

Built by the parent, installed by the child (`lock`): the child only writes its own process id into the places that
`Filter.pid_slots` names. An allow list: what is not named in `syscalls` is refused.
"""

from __future__ import annotations

import errno
import platform
import struct
from dataclasses import dataclass

from auditor.sandbox.syscalls import ARCHITECTURES, numbers

_LOAD, _JEQ, _JSET, _AND, _RET = 0x20, 0x15, 0x45, 0x54, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000

_CLONE_THREAD = 0x00010000
_CLONE_NEW = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET of linux/sched.h."""
_O_TRUNC, _O_ACCMODE = 0o1000, 0o3
"""Opening for reading with O_TRUNC empties a file, and landlock sees only the reading before its third version."""
_IOCTLS = (0x5401, 0x541B, 0x5451, 0x5450, 0x5421, 0x5413)
"""TCGETS, FIONREAD, FIOCLEX, FIONCLEX, FIONBIO, TIOCGWINSZ; TIOCSTI and every driver's own are not among them."""
_FCNTLS = (0, 1, 2, 3, 4, 5, 6, 7, 1030, 1032, 1034, 36, 37, 38)
"""Duplication, flags and locks; not F_SETOWN (signals to others) and not F_SETPIPE_SZ (memory outside the limits)."""
_PRCTLS = (15, 16, 3, 39, 23, 21, 0x53564D41)
"""PR_SET_NAME, GET_NAME, GET_DUMPABLE, GET_NO_NEW_PRIVS, CAPBSET_READ, GET_SECCOMP, PR_SET_VMA (names of mappings)."""

_LISTED: dict[str, tuple[int, tuple[int, ...], int]] = {
    "ioctl": (1, _IOCTLS, errno.ENOTTY),
    "fcntl": (1, _FCNTLS, errno.EPERM),
    "prctl": (0, _PRCTLS, errno.EPERM),
    "socketpair": (0, (1,), errno.EPERM),
    "sched_setaffinity": (0, (0,), errno.EPERM),
}
"""Calls allowed for some values of one argument: its index, the values, the answer for others."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A BPF program: `program` is an array of struct sock_filter, `pid_slots` the indexes that take the pid."""

    program: bytes
    pid_slots: tuple[int, ...]


class _Assembler:
    """Collects instructions; `pid` marks a comparison against the child's own process id."""

    def __init__(self) -> None:
        self.code: list[tuple[int, int, int, int]] = []
        self.slots: list[int] = []

    def add(self, operation: int, value: int, yes: int = 0, no: int = 0) -> None:
        self.code.append((operation, yes, no, value))

    def argument(self, index: int, high: bool = False) -> None:
        self.add(_LOAD, 16 + 8 * index + (4 if high else 0))

    def pid(self, yes: int, no: int) -> None:
        self.slots.append(len(self.code))
        self.add(_JEQ, 0, yes, no)

    def allow(self) -> None:
        self.add(_RET, _ALLOW)

    def refuse(self, code: int = errno.EPERM) -> None:
        self.add(_RET, _ERRNO | code)

    def one_of(self, values: tuple[int, ...], code: int = errno.EPERM) -> None:
        """Allow when the loaded word is one of `values`, refuse otherwise."""
        for position, value in enumerate(values):
            self.add(_JEQ, value, len(values) - position, 0)
        self.refuse(code)
        self.allow()


def machine() -> str | None:
    """Return the name of this machine's architecture when the filter knows it."""
    name = platform.machine()
    return name if name in ARCHITECTURES else None


def build(name: str, forks: bool = False, executes: bool = False) -> Filter:
    """Assemble the filter for the architecture `name` (a key of `ARCHITECTURES`).

    `forks` lets processes be made, `executes` lets them run other programs: for a compiler alone.
    """
    code = _Assembler()
    code.add(_LOAD, 4)
    code.add(_JEQ, ARCHITECTURES[name][1], 1, 0)
    code.add(_RET, _KILL)
    code.add(_LOAD, 0)
    for group in ("allowed", "executing") if executes else ("allowed",):
        for number in numbers(group, name).values():
            code.add(_JEQ, number, 0, 1)
            code.allow()
    for group, answer in (("pretended", 0), ("unsupported", errno.ENOTSUP), ("absent", errno.ENOSYS)):
        for number in numbers(group, name).values():
            code.add(_JEQ, number, 0, 1)
            code.refuse(answer)
    for call, number in numbers("special", name).items():
        block = _Assembler()
        _judge(call, block, forks)
        code.add(_JEQ, number, 0, len(block.code))
        code.slots += [len(code.code) + slot for slot in block.slots]
        code.code += block.code
    code.refuse()
    program = b"".join(struct.pack("<HBBI", operation, yes, no, value) for operation, yes, no, value in code.code)
    return Filter(program, tuple(code.slots))


def _judge(call: str, code: _Assembler, forks: bool) -> None:
    """Emit the judgement of one call by its arguments."""
    if call == "clone":
        code.argument(0)
        if not forks:
            code.add(_JSET, _CLONE_THREAD, 0, 1)
        code.add(_JSET, _CLONE_NEW, 0, 1)
        code.refuse()
        code.allow()
    elif call in ("open", "openat"):
        code.argument(1 if call == "open" else 2)
        code.add(_JSET, _O_TRUNC, 0, 3)
        code.add(_AND, _O_ACCMODE)
        code.add(_JEQ, 0, 0, 1)
        code.refuse()
        code.allow()
    elif call == "kill" and forks:
        code.allow()  # there is a process namespace then, and nothing in it but the program's own
    elif call in ("kill", "tgkill"):
        code.argument(0)
        code.pid(1, 0)
        code.refuse()
        code.allow()
    elif call == "prlimit64":
        code.argument(0)
        code.add(_JEQ, 0, 1, 0)
        code.pid(0, 4)
        code.argument(2)
        code.add(_JEQ, 0, 0, 2)
        code.argument(2, high=True)
        code.add(_JEQ, 0, 1, 0)
        code.refuse()
        code.allow()
    else:
        index, values, answer = _LISTED[call]
        code.argument(index)
        code.one_of(values, answer)
