"""Takes away from this process what decoding does not need, before it meets the first packet of somebody else's making. SHELL.

What every Linux allows: resource limits (address space, processor time, files, core dumps), a session of its own, no way back to privileges
(``no_new_privs``), and a filter of system calls that allows what decoding takes and nothing else (``media.tap.calls``). Where it may:
another user, and a network namespace without interfaces. Each is told by name, so that its owner can see what holds.
"""

import contextlib
import ctypes
import os
import platform
import resource
import signal
import struct

from media.tap.calls import SECCOMP, program

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC = 1, 1
_NOBODY = 65534
MORE_MEMORY_BYTES = 768 << 20
"""Address space beyond what the interpreter and its libraries have taken when they are loaded."""

CPU_S = 90
"""Processor time of the whole process; a tap lasts a minute at most."""


def confine(descriptors: int) -> tuple[str, ...]:
    """From now on this process holds ``descriptors`` files (0 … n-1) and may open one more, by accepting a connection. What is in force, by name.

    Call when everything is loaded. Never raises for what this machine does not allow.
    """
    done: list[str] = []
    libc = ctypes.CDLL(None, use_errno=True)
    os.closerange(descriptors, max(descriptors, resource.getrlimit(resource.RLIMIT_NOFILE)[0]))
    os.chdir("/")
    os.umask(0o777)
    root = os.geteuid() == 0
    if libc.unshare(_CLONE_NEWNET) == 0 or (not root and libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0):
        done.append("network")
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_AS, _address_space() + MORE_MEMORY_BYTES)
    _limit(resource.RLIMIT_NOFILE, descriptors + 1)
    _limit(resource.RLIMIT_CPU, CPU_S)
    _limit(resource.RLIMIT_NPROC, 0)
    done.append("limits")
    if root and _become_nobody():
        done.append("user")
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        done.append("privileges")
        if filter_calls(libc):
            done.append("calls")
    return tuple(done)


def _limit(what: int, most: int) -> None:
    with contextlib.suppress(ValueError, OSError):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def _address_space() -> int:
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()


def _become_nobody() -> bool:
    try:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    except OSError:
        return False
    return True


def filter_calls(libc: ctypes.CDLL) -> bool:
    """For every thread there is, should a library have made one. False: not here. Needs ``no_new_privs``."""
    machine = platform.machine()
    code = program(machine)
    if code is None:
        return False
    lines = ctypes.create_string_buffer(code, len(code))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(lines)))
    return bool(libc.syscall(SECCOMP[machine], _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, header) == 0)
