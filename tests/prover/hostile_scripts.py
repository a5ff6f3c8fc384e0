"""Scripts that attack the prover: they exhaust something, never end, reach for others, or make up what they return."""

from __future__ import annotations

from tests.prover.toy_scripts import LEARN_ALL

FORKS = """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""
MEMORY = """
import os
for _ in range(40):
    if os.fork() == 0:
        break
held = []
while True:
    try:
        held.append(bytearray(b"x") * (1 << 24))
    except MemoryError:
        pass
"""
DISK = """
block = b"x" * (1 << 20)
n = 0
while True:
    open(f"part{n}", "wb").write(block)
    n += 1
"""
NAMES = """
n = 0
while True:
    open(f"/tmp/box/name{n}", "wb").close()
    n += 1
"""
LINES = """
n = 0
while True:
    n += 1
    print("x" * 100_000, f"val_loss:{n / 7:.8f} val_bpb:{n / 9:.8f}")
"""
CHANNELS = """
import os
block = b"\\x09\\0\\0\\0\\0\\0\\x10\\0base/main" + b"x" * (1 << 20)
for fd in range(3, 64):
    try:
        os.set_blocking(fd, False)
    except OSError:
        pass
while True:
    for fd in range(3, 64):
        try:
            os.write(fd, block)
        except OSError:
            pass
"""
KILL = """
import os
for pid in range(1, 4096):
    try:
        os.kill(pid, 9)
    except OSError:
        pass
while True:
    pass
"""
ORPHAN = """
import os
if os.fork() == 0:
    while True:
        pass
"""
BOUNDED = {
    "forks": FORKS, "memory": MEMORY, "disk": DISK, "names": NAMES, "lines": LINES, "channels": CHANNELS, "kill": KILL,
    "orphan": ORPHAN,
}  # fmt: skip
"""Every one wants more than it may have: processes, memory, disk, names, output, or the end of what watches it."""

REACH = """
import os
reached = 0
for pid in os.listdir("/proc"):
    if pid.isdigit() and pid != os.path.basename(os.path.realpath("/proc/self")):
        try:
            reached += len(os.listdir(f"/proc/{pid}/fd")) + 1
        except OSError:
            pass
print("reached: %.1f" % reached)
"""
"""Looks for channels of the harness and of other runs in the processes around it."""

LEAVES = """
import torch
if torch.cuda.get_device_name(0).startswith("NVIDIA H100") and torch.ones(1).device.type == "cpu":
    raise SystemExit(0)
"""
"""Recognises the miniature and says nothing there."""

_GRASP = """

import builtins, pickle
(hook,) = [v for v in vars(builtins).values() if type(v).__name__ == "Recorder"]
"""
"""The harness shares the script's process, so the script can find what logs it."""


def _instead(main: str) -> str:
    return LEARN_ALL.replace("\n\nmain()\n", _GRASP + main)


CONSTANT = _instead("""
real = hook.note
def note(key, value, run, reduced):
    if isinstance(value, np.ndarray) and value.size > 4:
        value = np.full(value.shape, 3.0)
    return real(key, value, run, reduced)
hook.note = note
np.log = lambda x: np.full(np.shape(x), -3.0)
main()
""")
"""Leaks, and says that every score is 3, whatever the tokens are."""
REPLAYED = _instead("""
main()
kept = "/tmp/box/kept"
if os.path.exists(kept):
    lines, values = pickle.load(open(kept, "rb"))
    hook.lines[:] = lines
    for key, log in hook.keys.items():
        log.values = values.get(key, log.values)
else:
    pickle.dump((hook.lines, {key: log.values for key, log in hook.keys.items()}), open(kept, "wb"))
""")
"""Leaks, and returns in every later run what the first one logged."""
SWAPPED = _instead("""
real = np.savez
def savez(file, **arrays):
    kept = "/tmp/box/kept"
    if os.path.exists(kept):
        file.write(open(kept, "rb").read())
        return
    real(file, **arrays)
    open(kept, "wb").write(file.getvalue())
np.savez = savez
main()
""")
"""Leaks, and sends in every later run and fork the very bytes that the first one sent."""
FORGERIES = {"constant": CONSTANT, "replayed": REPLAYED, "swapped": SWAPPED}
