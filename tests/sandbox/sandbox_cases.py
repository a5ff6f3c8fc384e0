"""Hostile programs, each with what containment means for it: the 26 of the sandbox's specification and our own.

A program writes the list of what it reached to the report channel; contained means that this list is empty, or that a
named limit ended the run. `HOST` is what the test set up outside: files, listeners, a victim process.
"""

from __future__ import annotations

from dataclasses import dataclass

MODES = ("bwrap", "lock", "bwrap as a plain user", "lock as a plain user")

PRELUDE = '''
import json, os, sys
HOST = json.loads(sys.argv[1])
BREACHES = []
def reached(name, action, wanted=None):
    """Record a breach when `action` succeeds (and returns something that `wanted` accepts)."""
    try:
        value = action()
    except (OSError, ValueError, MemoryError, RuntimeError, ImportError, AttributeError):
        return
    if wanted is None or wanted(value):
        BREACHES.append(name)
def syscall(number, *arguments):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    value = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if value < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return value
def done():
    os.write(int(os.environ["SANDBOX_REPORT_FD"]), json.dumps(BREACHES).encode())
'''


@dataclass(frozen=True)
class Case:
    """A hostile program. `stops`: limits that may end it; empty means that it must come to its end and report []."""

    source: str
    stops: tuple[str, ...] = ()
    writable: bool = False
    collect: tuple[str, ...] = ()


CASES: dict[str, Case] = {
    "01 fork bomb": Case("""
for _ in range(600):
    reached("fork", lambda: os.fork() or os._exit(0))
done()
"""),
    "02 memory bomb": Case(
        """
blocks = []
try:
    while True:
        blocks.append(bytearray(50_000_000))
except MemoryError:
    done()
""",
        ("memory", "wall time"),
    ),
    "02b memory bomb in many processes": Case("""
import subprocess
for _ in range(12):
    reached("process", lambda: subprocess.Popen([sys.executable, "-c", "x = bytearray(10**9)"]))
done()
"""),
    "03 disk fill": Case(
        """
for place in (".", "/tmp", "/dev/shm", "/dev", "/var/tmp", "/run"):
    total = 0
    try:
        for number in range(100):
            with open(f"{place}/fill{number}", "wb") as file:
                total += file.write(b"x" * 4_000_000)
    except OSError:
        pass
    if total > 64_000_000:
        BREACHES.append(f"{place}: {total}")
done()
""",
        ("scratch space", "wall time"),
        writable=True,
    ),
    "03b disk fill of a read-only scratch": Case("""
for place in (".", "/tmp", "/dev/shm", "/dev", "/var/tmp"):
    reached(place, lambda: open(f"{place}/fill", "wb").write(b"x"))
done()
"""),
    "04 network": Case("""
import socket
def tcp(): socket.create_connection(("127.0.0.1", HOST["tcp"]), 1).sendall(b"hit")
def udp(): socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("127.0.0.1", HOST["udp"]))
def unix(path):
    s = socket.socket(socket.AF_UNIX); s.connect(path); s.sendall(b"hit")
reached("tcp", tcp)
reached("dns", lambda: socket.getaddrinfo("example.com", 80))
reached("abstract unix", lambda: unix(chr(0) + HOST["abstract"]))
reached("unix", lambda: unix(HOST["unix"]))
reached("raw", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
reached("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
done()
"""),
    "05 secrets": Case("""
import glob
for path in (HOST["secret"], "/etc/passwd", "/etc/shadow", "/etc/hostname", os.path.expanduser("~root/.ssh/id_rsa")):
    reached(path, lambda: open(path).read())
for place in ("/home", "/root", "/etc", "/var", HOST["folder"], "/proc/1/root/etc", "/proc/self/root/etc"):
    reached(f"list {place}", lambda: os.listdir(place), lambda names: set(names) - {".pyenv", "ld.so.cache"})
reached("environment", lambda: [k for k, v in os.environ.items() if "hunter2" in v], bool)
done()
"""),
    "05b environment of other processes": Case("""
for pid in ("1", "self", str(os.getppid()), str(HOST["parent"]), str(HOST["victim"])):
    reached(pid, lambda: open(f"/proc/{pid}/environ", "rb").read(), lambda data: b"hunter2" in data)
    reached(f"cmdline {pid}", lambda: open(f"/proc/{pid}/cmdline", "rb").read(), lambda data: b"pytest" in data)
done()
"""),
    "06 write outside the scratch": Case(
        """
import site
places = [HOST["secret"], HOST["folder"] + "/new", "/etc/cron.d/x", "/usr/lib/x", os.__file__, sys.executable]
places += [f"{path}/evil.pth" for path in sys.path if path]
for path in places:
    reached(path, lambda: open(path, "ab").write(b"x"))
reached("remove", lambda: os.unlink(HOST["secret"]))
reached("rename", lambda: os.rename(HOST["secret"], HOST["secret"] + "2"))
done()
""",
        writable=True,
    ),
    "06b metadata of the user's files": Case(
        """
for action in (
    lambda: os.chmod(HOST["own"], 0o666), lambda: os.utime(HOST["own"], (1, 1)),
    lambda: os.setxattr(HOST["own"], "user.x", b"1"), lambda: os.chown(HOST["own"], 1, 1),
    lambda: os.truncate(HOST["own"], 0), lambda: os.link(HOST["own"], "linked"),
    lambda: os.open(HOST["own"], os.O_RDONLY | os.O_TRUNC),
):
    try:
        action()
    except OSError:
        pass
done()
""",
        writable=True,
    ),
    "07 attach to other processes": Case("""
for pid in (1, os.getppid(), HOST["parent"], HOST["victim"]):
    reached(f"attach {pid}", lambda: syscall(101, 16, pid, 0, 0))
    reached(f"seize {pid}", lambda: syscall(101, 0x4206, pid, 0, 0))
    reached(f"memory {pid}", lambda: open(f"/proc/{pid}/mem", "r+b"))
    reached(f"vm_readv {pid}", lambda: syscall(310, pid, 0, 0, 0, 0, 0))
    reached(f"descriptors {pid}", lambda: os.listdir(f"/proc/{pid}/fd"))
    reached(f"pidfd {pid}", lambda: syscall(434, pid, 0))
done()
"""),
    "08 busy loop": Case("while True: pass", ("cpu time", "wall time")),
    "08b sleep with signals ignored": Case(
        """
import signal, time
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    time.sleep(1)
""",
        ("wall time",),
    ),
    "09 output flood": Case(
        """
while True:
    os.write(1, b"x" * 65536)
""",
        ("output",),
    ),
    "09b report flood": Case(
        """
while True:
    os.write(int(os.environ["SANDBOX_REPORT_FD"]), b"[]" * 30000)
""",
        ("output",),
    ),
    "10 kill others": Case("""
for pid in (HOST["victim"], HOST["parent"], os.getppid(), 1, 0, -1, -os.getpgrp()):
    for number in (0, 9):
        reached(f"{pid}", lambda: os.kill(pid, number))
done()
"""),
    "11 links to the host": Case(
        """
for index, target in enumerate((HOST["secret"], "/etc/passwd", "/", "/proc/self/mem")):
    os.symlink(target, f"link{index}.out")
    reached(f"through {target}", lambda: open(f"link{index}.out").read())
os.symlink(HOST["folder"], "out")
reached("write through", lambda: open("out/new", "w"))
reached("make through", lambda: os.mkdir("out/made"))
reached("move through", lambda: os.rename("link0.out", "out/moved"))
reached("empty through", lambda: os.open("out/own", os.O_RDONLY | os.O_TRUNC))
reached("hard link", lambda: os.link(HOST["secret"], "hard.out"))
reached("fifo", lambda: os.mkfifo("fifo.out"))
reached("device", lambda: os.mknod("device.out", 0o020666, os.makedev(1, 8)))
done()
""",
        writable=True,
        collect=("*.out",),
    ),
    "16 daemon": Case("""
def daemon():
    if os.fork() == 0:
        os.setsid()
        import time
        time.sleep(600)
        os._exit(0)
reached("daemon", daemon)
done()
"""),
    "17 raise limits": Case("""
import resource
for name in ("RLIMIT_CPU", "RLIMIT_AS", "RLIMIT_NPROC", "RLIMIT_FSIZE", "RLIMIT_NOFILE"):
    reached(name, lambda: resource.setrlimit(getattr(resource, name), (resource.RLIM_INFINITY, resource.RLIM_INFINITY)))
reached("of the parent", lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1)))
reached("setuid", lambda: os.setuid(0), lambda _: os.getuid() == 0)
reached("setresuid", lambda: os.setresuid(0, 0, 0))
done()
"""),
    "18 namespaces, mounts, programs": Case(
        """
import ctypes
reached("unshare user", lambda: syscall(272, 0x10000000))
reached("unshare mount", lambda: syscall(272, 0x00020000))
reached("clone user", lambda: syscall(56, 0x10000000 | 17, 0, 0, 0, 0))
reached("clone3", lambda: syscall(435, ctypes.create_string_buffer(88), 88))
reached("setns", lambda: syscall(308, 0, 0))
reached("mount", lambda: syscall(165, b"none", b"/tmp", b"tmpfs", 0, 0))
reached("chroot", lambda: os.chroot("/tmp"))
reached("pivot_root", lambda: syscall(155, b".", b"."))
reached("exec", lambda: os.execv("/bin/sh", ["sh", "-c", "true"]))
reached("execveat", lambda: syscall(322, -100, b"/bin/sh", 0, 0, 0))
done()
""",
        writable=True,
    ),
    "19 terminal": Case("""
import fcntl, termios
reached("tty", lambda: open("/dev/tty", "r+b"))
for descriptor in (0, 1, 2):
    reached(f"inject {descriptor}", lambda: fcntl.ioctl(descriptor, termios.TIOCSTI, b"x"))
reached("console", lambda: open("/dev/console", "wb"))
done()
"""),
    "21 kernel memory in pipes and sockets": Case("""
import fcntl, socket
ends = []
for _ in range(300):
    reached("enlarged pipe", lambda: fcntl.fcntl(ends[0], 1031, 1 << 20) if ends else (_ for _ in ()).throw(OSError()))
    try:
        ends += os.pipe()
    except OSError:
        break
if len(ends) > 260:
    BREACHES.append(f"{len(ends)} descriptors")
reached("memfd", lambda: os.memfd_create("x"))
reached("shmget", lambda: syscall(29, 0, 1 << 30, 0o1600))
os.close(ends.pop()), os.close(ends.pop())
done()
"""),
    "22 kernel interfaces": Case("""
import ctypes
buffer = ctypes.create_string_buffer(256)
for name, number, arguments in (
    ("io_uring", 425, (8, buffer)), ("userfaultfd", 323, (0,)), ("bpf", 321, (0, buffer, 72)),
    ("perf_event_open", 298, (buffer, 0, -1, -1, 0)), ("add_key", 248, (b"user", b"x", b"y", 1, -3)),
    ("keyctl", 250, (0, -3, 1)), ("kexec", 246, (0, 0, 0, 0)), ("init_module", 175, (buffer, 1, b"")),
    ("open_by_handle_at", 304, (3, buffer, 0)), ("fanotify", 300, (0, 0)), ("inotify", 294, (0,)),
    ("personality", 135, (0x0040000,)), ("reboot", 169, (0, 0, 0, 0)), ("ptrace me", 101, (0, 0, 0, 0)),
    ("sched_setscheduler", 144, (0, 1, buffer)), ("setpriority", 141, (0, 0, -5)), ("process_madvise", 440, (0, 0, 0)),
    ("landlock", 444, (0, 0, 1)), ("seccomp", 317, (0, 0, 0)), ("mq_open", 240, (b"x", 66, 384, 0)),
    ("vmsplice", 278, (1, 0, 0, 0)), ("modify_ldt", 154, (0, buffer, 16)), ("iopl", 172, (3,)), ("sync", 162, ()),
):
    reached(name, lambda: syscall(number, *arguments))
done()
"""),
    "23 32-bit system calls": Case(
        """
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (i386 getpid); int 0x80; ret
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
BREACHES.append(f"i386 getpid: {ctypes.CFUNCTYPE(ctypes.c_int)(address)()}")
done()
""",
        ("signal 31",),
    ),
    "23b x32 system calls": Case("""
reached("x32 getpid", lambda: syscall(0x40000000 + 39))
reached("x32 fork", lambda: syscall(0x40000000 + 57))
done()
"""),
    "24 inherited descriptors": Case("""
report = int(os.environ["SANDBOX_REPORT_FD"])
open_ones = []
for number in range(3, 256):
    try:
        os.fstat(number)
    except OSError:
        continue
    open_ones.append(number)
if len(open_ones) > 2:
    BREACHES.append(f"open: {open_ones}")
for pid in (1, os.getppid()):
    for number in range(10):
        reached(f"descriptor {number} of {pid}", lambda: open(f"/proc/{pid}/fd/{number}", "r+b"))
done()
"""),
    "25 names without bytes": Case(
        """
try:
    for number in range(400_000):
        os.close(os.open(f"empty{number}", os.O_CREAT | os.O_WRONLY))
except OSError:
    pass
done()
""",
        ("scratch space", "wall time", "cpu time"),
        writable=True,
    ),
    "26 deep directories": Case(
        """
try:
    for number in range(3000):
        os.mkdir("d")
        os.chdir("d")
except OSError:
    pass
open("x.out", "w").close()
done()
""",
        ("scratch space", "wall time"),
        writable=True,
        collect=("*.out",),
    ),
    "27 traps for the collector": Case(
        """
os.truncate(os.open("sparse.out", os.O_CREAT | os.O_WRONLY), 15_000_000)
for number in range(500):
    open(f"many{number}.out", "wb").write(b"x" * 1000)
open("terminal\\x1b[2J\\n::error::.out", "w").close()
open(b"\\xff\\xfe.out", "w").close()
os.symlink("/etc/passwd", "a.out")
os.symlink(".", "loop")
done()
""",
        ("wall time",),
        writable=True,
        collect=("*.out",),
    ),
    "28 stop itself": Case(
        """
import signal
os.kill(os.getpid(), signal.SIGSTOP)
""",
        ("wall time",),
    ),
    "29 thread bomb": Case(
        """
import threading, time
made = 0
try:
    for _ in range(2000):
        threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
        made += 1
except RuntimeError:
    pass
if made > 300:
    BREACHES.append(f"{made} threads")
done()
""",
        ("threads", "wall time"),
    ),
    "30 leave the group": Case("""
reached("setsid", os.setsid)
reached("setpgid", lambda: os.setpgid(0, 0))
reached("death signal", lambda: syscall(157, 1, 0, 0, 0, 0))
reached("dumpable", lambda: syscall(157, 4, 1, 0, 0, 0))
reached("subreaper", lambda: syscall(157, 36, 1, 0, 0, 0))
import fcntl
reached("owner", lambda: fcntl.fcntl(1, 8, -os.getppid()))
done()
"""),
    "31 lies to the parent": Case("""
sys.stdout.write("::error::owned\\n\\x1b]0;owned\\x07")
actions = [n for n in range(3, 256) if n != int(os.environ["SANDBOX_REPORT_FD"])]
for number in actions:
    try:
        os.write(number, b'["network", 5]\\n[[[[[[[[\\n' + b"[" * 200_00 + b"\\n" + b'{"exit": 0}\\n')
    except OSError:
        pass
done()
"""),
    "32 kernel settings": Case("""
import glob
for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/self/oom_score_adj", "/proc/self/uid_map",
             "/proc/self/mem", "/sys/kernel/uevent_helper", "/proc/self/timerslack_ns", "/proc/self/attr/current"):
    reached(path, lambda: open(path, "r+b"))
done()
"""),
}
