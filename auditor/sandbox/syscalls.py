"""System call numbers by how the sandbox answers them, as data. A call that is not named here is refused with EPERM.

Each entry is `name:x86_64:aarch64`, with `-` where an architecture has no such call. Nothing here decides anything;
`seccomp` does.
"""

from __future__ import annotations

ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Machine name -> (column in the tables below, AUDIT_ARCH constant of linux/audit.h)."""

_ALLOWED = """
read:0:63 write:1:64 close:3:57 fstat:5:80 newfstatat:262:79 stat:4:- lstat:6:- statx:332:291 poll:7:- ppoll:271:73
lseek:8:62 mmap:9:222 mprotect:10:226 munmap:11:215 brk:12:214 rt_sigaction:13:134 rt_sigprocmask:14:135
rt_sigreturn:15:139 rt_sigpending:127:136 rt_sigtimedwait:128:137 rt_sigsuspend:130:133 sigaltstack:131:132
pread64:17:67 pwrite64:18:68 readv:19:65 writev:20:66 preadv:295:69 pwritev:296:70 preadv2:327:286 pwritev2:328:287
access:21:- faccessat:269:48 faccessat2:439:439 pipe:22:- pipe2:293:59 select:23:- pselect6:270:72
sched_yield:24:124 mremap:25:216 msync:26:227 mincore:27:232 madvise:28:233 dup:32:23 dup2:33:- dup3:292:24
pause:34:- nanosleep:35:101 clock_nanosleep:230:115 getitimer:36:102 setitimer:38:103 alarm:37:- getpid:39:172
gettid:186:178 getppid:110:173 getuid:102:174 geteuid:107:175 getgid:104:176 getegid:108:177 getresuid:118:148
getresgid:120:150 getgroups:115:158 getpgrp:111:- getpgid:121:155 getsid:124:156 exit:60:93 exit_group:231:94
wait4:61:260 waitid:247:95 uname:63:160 flock:73:32 fsync:74:82 fdatasync:75:83 sync_file_range:277:84
ftruncate:77:46 fallocate:285:47 getdents:78:- getdents64:217:61 getcwd:79:17 chdir:80:49 fchdir:81:50 rename:82:-
renameat:264:38 renameat2:316:276 mkdir:83:- mkdirat:258:34 rmdir:84:- symlink:88:- symlinkat:266:36 unlink:87:-
unlinkat:263:35 readlink:89:- readlinkat:267:78 umask:95:166 gettimeofday:96:169 clock_gettime:228:113
clock_getres:229:114 time:201:- times:100:153 getrusage:98:165 sysinfo:99:179 getrlimit:97:163 statfs:137:43
fstatfs:138:44 arch_prctl:158:- sched_getaffinity:204:123 sched_getparam:143:121 sched_getscheduler:145:120
sched_get_priority_max:146:125 sched_get_priority_min:147:126 set_tid_address:218:96 set_robust_list:273:99
get_robust_list:274:100 futex:202:98 epoll_create:213:- epoll_create1:291:20 epoll_ctl:233:21 epoll_wait:232:-
epoll_pwait:281:22 eventfd:284:- eventfd2:290:19 timerfd_create:283:85 timerfd_settime:286:86 timerfd_gettime:287:87
getrandom:318:278 rseq:334:293 membarrier:324:283 getcpu:309:168 copy_file_range:326:285 sendfile:40:71
fadvise64:221:223 readahead:187:213 restart_syscall:219:128 close_range:436:436
"""
"""What CPython, numpy and torch use on a CPU; none of them reaches another process, the network or a new program."""

_EXECUTING = """
execve:59:221 vfork:58:-
"""
"""What a compiler needs beside the allowed ones, which starts an assembler and a linker."""

_PRETENDED = """
chmod:90:- fchmod:91:52 fchmodat:268:53 chown:92:- fchown:93:55 lchown:94:- fchownat:260:54 utime:132:- utimes:235:-
utimensat:280:88 futimesat:261:- setxattr:188:5 lsetxattr:189:6 fsetxattr:190:7 removexattr:197:14
lremovexattr:198:15 fremovexattr:199:16
"""
"""Metadata writes, which landlock does not cover: answered with success, not done; copying helpers need that."""

_UNSUPPORTED = """
getxattr:191:8 lgetxattr:192:9 fgetxattr:193:10 listxattr:194:11 llistxattr:195:12 flistxattr:196:13
"""
"""Extended attributes: answered ENOTSUP, which copying helpers accept."""

_ABSENT = """
clone3:435:435 openat2:437:437 futex_waitv:449:449 epoll_pwait2:441:441 io_uring_setup:425:425 memfd_secret:447:447
process_madvise:440:440 get_mempolicy:239:236 set_mempolicy:238:237 mbind:237:235
"""
"""Answered ENOSYS so that the C library falls back to a call that the filter can judge by its arguments."""

_SPECIAL = """
open:2:- openat:257:56 clone:56:220 kill:62:129 tgkill:234:131 ioctl:16:29 fcntl:72:25 prctl:157:167
prlimit64:302:261 socketpair:53:199 sched_setaffinity:203:122
"""
"""Judged by their arguments in `seccomp`."""


def numbers(group: str, machine: str) -> dict[str, int]:
    """Return the calls of `group` that `machine` has, name -> number.

    `group` is one of allowed, executing, pretended, unsupported, absent, special; `machine` a key of `ARCHITECTURES`.
    """
    table = {
        "allowed": _ALLOWED,
        "executing": _EXECUTING,
        "pretended": _PRETENDED,
        "unsupported": _UNSUPPORTED,
        "absent": _ABSENT,
        "special": _SPECIAL,
    }[group]
    column = ARCHITECTURES[machine][0]
    rows = (row.split(":") for row in table.split())
    return {row[0]: int(row[1 + column]) for row in rows if row[1 + column] != "-"}
