"""Locks the calling process for good: landlock, capabilities, uid, resource limits and a system call filter.

Runs inside the child, before any untrusted byte, so it uses the standard library and ctypes only and imports nothing
else of the package. Every step that fails raises: a half locked process must never go on.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_SET_SECCOMP, _PR_CAPBSET_DROP = 1, 4, 8, 22, 24
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 38, 47
_CAP_DAC_READ_SEARCH = 2

_READ = 4 | 8
"""LANDLOCK_ACCESS_FS_READ_FILE | READ_DIR."""
_WRITE = 2 | 16 | 32 | 128 | 256 | 4096
"""WRITE_FILE, REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG, MAKE_SYM; no devices, sockets or pipes."""
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_FILE_ONLY = 1 | 2 | 4 | _TRUNCATE
"""Rights that a rule on a plain file may name."""


def call(number: int, *arguments: Any) -> int:
    """Make one raw system call. Raise OSError when it fails."""
    result = int(_libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), f"system call {number}")
    return result


def prctl(option: int, *arguments: int) -> None:
    """Call prctl. Raise OSError when it fails."""
    padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    if _libc.prctl(ctypes.c_int(option), *padded) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), f"prctl {option}")


def landlock_abi() -> int:
    """Return the landlock version of the running kernel, 0 where there is none."""
    try:
        return call(444, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    except OSError:
        return 0


def die_with(parent: int) -> None:
    """Ask to be killed when the parent process ends, and end at once when it already has."""
    prctl(_PR_SET_PDEATHSIG, 9)
    if os.getppid() != parent:
        os._exit(112)


def hide_memory() -> None:
    """Make this process unreadable to others of the same uid (no ptrace, no /proc/PID/mem)."""
    prctl(_PR_SET_DUMPABLE, 0)


def landlock(readable: list[str], writable: list[str]) -> int:
    """Restrict this process to reading `readable` and changing `writable` paths; no TCP, no foreign signals.

    Paths that do not exist are skipped. Return the landlock version used, 0 where the kernel has none.
    """
    abi = landlock_abi()
    if abi < 1:
        return 0
    change = _WRITE | (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0)
    handled = (
        (1 << 13) - 1 | (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0) | (1 << 15 if abi >= 5 else 0)
    )
    attributes = struct.pack("<QQQ", handled, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = call(444, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))
    for paths, rights in ((readable, _READ), (writable, _READ | change)):
        for path in paths:
            _rule(ruleset, path, rights)
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    call(446, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)
    return abi


def _rule(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(path):
        rights &= _FILE_ONLY
    call(445, ctypes.c_int(ruleset), ctypes.c_int(1), struct.pack("<Qi", rights, place), ctypes.c_uint32(0))
    os.close(place)


def drop_root(uid: int, keep_search: bool) -> None:
    """Give up uid 0 and every capability for `uid`; fall back to 65534 where the user namespace does not map it.

    `keep_search` keeps CAP_DAC_READ_SEARCH, for an interpreter below a directory that is closed to other users:
    landlock still says which files may be read.
    """
    os.setgroups([])
    _clear_bounding_set()
    prctl(_PR_SET_KEEPCAPS, 1 if keep_search else 0)
    for candidate in (uid, 65534):
        try:
            os.setresgid(candidate, candidate, candidate)
            os.setresuid(candidate, candidate, candidate)
            break
        except OSError:
            if candidate == 65534:
                raise
    _set_capabilities(1 << _CAP_DAC_READ_SEARCH if keep_search else 0)


def _clear_bounding_set() -> None:
    for capability in range(64):
        try:
            prctl(_PR_CAPBSET_DROP, capability)
        except OSError:
            break


def _set_capabilities(mask: int) -> None:
    header = struct.pack("<Ii", 0x20080522, 0)
    words = struct.pack("<IIIIII", mask & 0xFFFFFFFF, mask & 0xFFFFFFFF, 0, mask >> 32, mask >> 32, 0)
    number = _libc.capset
    if number(ctypes.c_char_p(header), ctypes.c_char_p(words)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), "capset")


def set_limits(limits: dict[str, int]) -> None:
    """Set the resource limits of this process, soft and hard; names are those of `resource` without RLIMIT_."""
    for name, value in limits.items():
        which = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(which)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (bound, bound))


def seccomp(program: bytes, pid_slots: list[int]) -> None:
    """Install the system call filter `program`, with this process's id written into `pid_slots`."""
    code = bytearray(program)
    for slot in pid_slots:
        struct.pack_into("<I", code, 8 * slot + 4, os.getpid())
    buffer = (ctypes.c_char * len(code)).from_buffer(code)
    header = struct.pack("<HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    keep = ctypes.create_string_buffer(header, len(header))
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    prctl(_PR_SET_SECCOMP, 2, ctypes.addressof(keep))
