"""Which system calls a decoder may make, as a seccomp filter (``seccomp(2)``, classic BPF). Sans I/O.

A list of what is allowed: what decoding, waiting and answering take, found by tracing a decoder of each codec. What libraries try and do without
fails with EPERM. Everything else ends the process: no decoder has a reason for it, whatever a future kernel adds.
"""

import errno
import struct

_NONE = -1  # the machine has no such call
ALLOWED: dict[str, tuple[int, int]] = {
    # by name: number on x86_64 (arch/x86/entry/syscalls/syscall_64.tbl), on aarch64 (include/uapi/asm-generic/unistd.h)
    # its two sockets, and the one that it accepts: no sendmsg, which hands on descriptors, and no fcntl, which has signals sent
    "read": (0, 63), "write": (1, 64), "recvfrom": (45, 207), "sendto": (44, 206), "accept4": (288, 242), "close": (3, 57),
    "getsockname": (51, 204), "getpeername": (52, 205), "fstat": (5, 80), "lseek": (8, 62),
    # waiting, and the time
    "poll": (7, _NONE), "ppoll": (271, 73), "restart_syscall": (219, 128), "clock_nanosleep": (230, 115), "nanosleep": (35, 101),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "gettimeofday": (96, 169), "time": (201, _NONE),
    # its own memory
    "brk": (12, 214), "munmap": (11, 215), "mremap": (25, 216), "madvise": (28, 233),
    # itself
    "futex": (202, 98), "sched_yield": (24, 124), "getpid": (39, 172), "gettid": (186, 178), "getrandom": (318, 278),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132),
    "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip
NOT_EXECUTABLE: dict[str, tuple[int, int]] = {"mmap": (9, 222), "mprotect": (10, 226)}
"""Allowed where the third argument has no PROT_EXEC: no new machine code."""
ONLY_FIONBIO: dict[str, tuple[int, int]] = {"ioctl": (16, 29)}
"""Allowed where the second argument is FIONBIO, by which Python makes a socket wait or not."""
REFUSED: dict[str, tuple[int, int]] = {
    # a module, a locale or a device looked for
    "open": (2, _NONE), "openat": (257, 56), "stat": (4, _NONE), "lstat": (6, _NONE), "newfstatat": (262, 79), "statx": (332, 291),
    "access": (21, _NONE), "faccessat": (269, 48), "faccessat2": (439, 439), "readlink": (89, _NONE), "readlinkat": (267, 78),
    "getcwd": (79, 17), "getdents64": (217, 61), "fcntl": (72, 25),
    # how large the machine is, and how much of it may be used
    "sched_getaffinity": (204, 123), "sysinfo": (99, 179), "uname": (63, 160), "getcpu": (309, 168), "getrusage": (98, 165),
    "getrlimit": (97, 163), "prlimit64": (302, 261), "prctl": (157, 167), "membarrier": (324, 283),
    # another thread, for what goes without
    "clone": (56, 220), "clone3": (435, 435), "set_robust_list": (273, 99), "rseq": (334, 293),
    # who it is, and its sockets' settings
    "getppid": (110, 173), "getuid": (102, 174), "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177),
    "getsockopt": (55, 209), "setsockopt": (54, 208), "shutdown": (48, 210), "dup": (32, 23),
}  # fmt: skip
MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""By name: AUDIT_ARCH, and the column of the tables above. Both are little-endian."""
SECCOMP = {"x86_64": 317, "aarch64": 277}

_PROT_EXEC, _FIONBIO = 4, 0x5421
_LOAD, _JUMP_EQUAL, _JUMP_ANY, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _SECOND, _THIRD = 0, 4, 24, 32  # of struct seccomp_data; of an argument the lower half
_ENDS = (("kill", 0x80000000), ("refuse", 0x00050000 | errno.EPERM), ("allow", 0x7FFF0000))


def program(machine: str) -> bytes | None:
    """The filter as an array of ``struct sock_filter``. None for a machine whose numbers are not known. Another interface of the
    same machine (32 bits, x32) has other numbers or another architecture, so that it ends the process."""
    if machine not in MACHINES:
        return None
    architecture, column = MACHINES[machine]
    # (operation, operand, where to if so, where to if not); "": the next line
    lines: list[tuple[int, int, str, str]] = [
        (_LOAD, _ARCHITECTURE, "", ""), (_JUMP_EQUAL, architecture, "", "kill"), (_LOAD, _NUMBER, "", ""),
    ]  # fmt: skip
    for calls, target in ((ALLOWED, "allow"), (NOT_EXECUTABLE, "memory"), (ONLY_FIONBIO, "device"), (REFUSED, "refuse")):
        lines += [(_JUMP_EQUAL, numbers[column], target, "") for numbers in calls.values() if numbers[column] != _NONE]
    labels = {"kill": len(lines)}
    lines.append((_RETURN, dict(_ENDS)["kill"], "", ""))
    labels["memory"] = len(lines)
    lines += [(_LOAD, _THIRD, "", ""), (_JUMP_ANY, _PROT_EXEC, "refuse", "allow")]
    labels["device"] = len(lines)
    lines += [(_LOAD, _SECOND, "", ""), (_JUMP_EQUAL, _FIONBIO, "allow", "refuse")]
    for name, answer in _ENDS[1:]:
        labels[name] = len(lines)
        lines.append((_RETURN, answer, "", ""))

    def jump(at: int, label: str) -> int:
        return labels[label] - at - 1 if label else 0  # counted from the line after its own

    return b"".join(
        struct.pack("=HBBI", operation, jump(at, yes), jump(at, no), operand)
        for at, (operation, operand, yes, no) in enumerate(lines)
    )
