"""Which system calls a verification worker may make, as a seccomp filter (``seccomp(2)``, classic BPF). Sans I/O.

A list of what is allowed: what decoding pictures, running models, waiting and answering take, found by tracing a worker at work.
Everything else fails with EPERM, as libraries look for files, devices and sizes of the machine and go on without. What no library
here has a reason to try - a socket, another program, ``fork`` - ends the worker; ``clone`` makes threads, and fails otherwise.
"""

import errno
import struct

_NONE = -1  # the machine has no such call
ALLOWED: dict[str, tuple[int, int]] = {
    # by name: number on x86_64 (arch/x86/entry/syscalls/syscall_64.tbl), on aarch64 (include/uapi/asm-generic/unistd.h)
    # its one socket, and the memory that came over it: no sendmsg, which hands on descriptors
    "read": (0, 63), "write": (1, 64), "sendto": (44, 206), "recvfrom": (45, 207), "recvmsg": (47, 212), "close": (3, 57),
    "fstat": (5, 80), "lseek": (8, 62),
    # waiting, and the time
    "poll": (7, _NONE), "ppoll": (271, 73), "restart_syscall": (219, 128), "clock_nanosleep": (230, 115), "nanosleep": (35, 101),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "gettimeofday": (96, 169), "time": (201, _NONE),
    # its own memory
    "brk": (12, 214), "munmap": (11, 215), "mremap": (25, 216), "madvise": (28, 233),
    # itself
    "futex": (202, 98), "sched_yield": (24, 124), "getpid": (39, 172), "gettid": (186, 178), "getrandom": (318, 278), "getcpu": (309, 168),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132),
    "set_robust_list": (273, 99), "rseq": (334, 293), "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip
NOT_EXECUTABLE: dict[str, tuple[int, int]] = {"mmap": (9, 222), "mprotect": (10, 226)}
"""Allowed where the third argument has no PROT_EXEC: no new machine code."""
ONLY_OWN_FILES: dict[str, tuple[int, int]] = {"fcntl": (72, 25)}
"""Allowed where the second argument is F_GET_SEALS, by which memory is checked, or F_DUPFD_CLOEXEC, which Python's ``mmap`` does."""
ONLY_THREADS: dict[str, tuple[int, int]] = {"clone": (56, 220)}
"""Allowed where the first argument has CLONE_THREAD: HEIC's decoder makes one for each picture."""
UNKNOWN: dict[str, tuple[int, int]] = {"clone3": (435, 435)}
"""Answered as by a kernel that does not know it (ENOSYS), as its arguments cannot be seen: ``clone`` is made in its place."""
FATAL: dict[str, tuple[int, int]] = {
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201), "accept": (43, 202),
    "accept4": (288, 242), "sendmsg": (46, 211), "sendmmsg": (307, 269), "recvmmsg": (299, 243),
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, _NONE), "vfork": (58, _NONE),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kill": (62, 129), "tkill": (200, 130),
    "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438),
    "memfd_create": (319, 279), "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "bpf": (321, 280), "perf_event_open": (298, 241), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "mount": (165, 40), "umount2": (166, 39), "unshare": (272, 97), "setns": (308, 268), "chroot": (161, 51),
    "pivot_root": (155, 41), "init_module": (175, 105), "finit_module": (313, 273), "kexec_load": (246, 104),
    "personality": (135, 92), "unlink": (87, _NONE), "unlinkat": (263, 35), "rename": (82, _NONE), "renameat": (264, 38),
    "renameat2": (316, 276), "truncate": (76, 45), "ftruncate": (77, 46),
}  # fmt: skip
MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""By name: AUDIT_ARCH, and the column of the tables above. Both are little-endian."""
SECCOMP = {"x86_64": 317, "aarch64": 277}

_PROT_EXEC, _F_DUPFD_CLOEXEC, _F_GET_SEALS, _CLONE_THREAD = 4, 1030, 1034, 0x10000
_X32 = 0x40000000  # bit of the numbers of x86_64's other interface
_LOAD, _JUMP_EQUAL, _JUMP_ANY, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND, _THIRD = 0, 4, 16, 24, 32  # of struct seccomp_data; of an argument the lower half
_KILL, _ALLOW, _REFUSE, _NO_SUCH = 0x80000000, 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS


def program(machine: str) -> bytes | None:
    """The filter as an array of ``struct sock_filter``. None for a machine whose numbers are not known. Calls by another interface
    of the same machine (32 bits, x32) end the process."""
    if machine not in MACHINES:
        return None
    architecture, column = MACHINES[machine]
    # (operation, operand, where to if so, where to if not); "": the next line
    lines: list[tuple[int, int, str, str]] = [
        (_LOAD, _ARCHITECTURE, "", ""), (_JUMP_EQUAL, architecture, "", "kill"),
        (_LOAD, _NUMBER, "", ""), (_JUMP_ANY, _X32, "kill", ""),
    ]  # fmt: skip
    for calls, target in (
        (ALLOWED, "allow"), (NOT_EXECUTABLE, "memory"), (ONLY_OWN_FILES, "files"), (ONLY_THREADS, "threads"), (UNKNOWN, "unknown"),
        (FATAL, "kill"),
    ):  # fmt: skip
        lines += [(_JUMP_EQUAL, numbers[column], target, "") for numbers in calls.values() if numbers[column] != _NONE]
    labels = {"refuse": len(lines)}
    lines.append((_RETURN, _REFUSE, "", ""))
    labels["memory"] = len(lines)
    lines += [(_LOAD, _THIRD, "", ""), (_JUMP_ANY, _PROT_EXEC, "no", "allow")]
    labels["files"] = len(lines)
    lines += [
        (_LOAD, _SECOND, "", ""),
        (_JUMP_EQUAL, _F_GET_SEALS, "allow", ""),
        (_JUMP_EQUAL, _F_DUPFD_CLOEXEC, "allow", "no"),
    ]
    labels["threads"] = len(lines)
    lines += [(_LOAD, _FIRST, "", ""), (_JUMP_ANY, _CLONE_THREAD, "allow", "no")]
    for name, answer in (("no", _REFUSE), ("unknown", _NO_SUCH), ("kill", _KILL), ("allow", _ALLOW)):
        labels[name] = len(lines)
        lines.append((_RETURN, answer, "", ""))

    def jump(at: int, label: str) -> int:
        return labels[label] - at - 1 if label else 0  # counted from the line after its own

    return b"".join(
        struct.pack("=HBBI", operation, jump(at, yes), jump(at, no), operand)
        for at, (operation, operand, yes, no) in enumerate(lines)
    )
