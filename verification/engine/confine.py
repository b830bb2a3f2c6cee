"""Takes away from a worker what running models does not need, before it meets the first picture of a stranger. SHELL.

In two steps, as libraries read files while they load: the network goes first, while there is one thread (``leave_network``); the
rest when all models are loaded (``confine``). What every Linux allows: limits of memory, files and cores, no way back to privileges, a
filter of system calls (``calls.py``). Where it may: a network namespace without interfaces, another user. Each is told by name.
"""

import _thread
import contextlib
import ctypes
import os
import platform
import resource
import signal
import struct
import sys

from verification.engine.calls import SECCOMP, program

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC = 1, 1
_NOBODY = 65534
SPARE_FILES = 2
"""Beyond those that it keeps: the memory of a request, and the mapping's own descriptor of it."""
SPARE_THREADS = 1024
"""Beyond those that its user has when it begins, of all processes of this user: what those may grow by before this one can make none (for HEIC) any more. What
this one makes is watched from outside (``crew.MORE_THREADS``): the limit is for the moment until it is seen."""
_MOST_TASKS = 1 << 22  # PID_MAX_LIMIT
_FIRST_GUESS = 256
_NEAR = 16


def leave_network() -> tuple[str, ...]:
    """Into a network namespace of its own, with nothing in it. Before anything makes a thread. Ends with whoever started it, from now on."""
    if sys.platform != "linux":
        return ()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    root = os.geteuid() == 0
    if libc.unshare(_CLONE_NEWNET) == 0 or (not root and libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0):
        return ("network",)
    return ()


def confine(descriptors: int, more_memory_bytes: int, *, calls: bool = True) -> tuple[str, ...]:
    """From now on this process holds ``descriptors`` files (0 … n-1) and may open none itself. What is in force, by name.

    ``more_memory_bytes``: address space beyond what is taken now. ``calls`` False: for execution providers that speak to a device by files
    that they hold and open: then neither those nor the address space, the user and the calls are limited. Never raises for what this machine does not allow.
    """
    done: list[str] = []
    os.environ.clear()
    os.chdir("/")
    os.umask(0o777)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    linux = sys.platform == "linux"
    filtered = calls and linux and program(platform.machine()) is not None
    if calls:
        os.closerange(descriptors, max(descriptors, resource.getrlimit(resource.RLIMIT_NOFILE)[0]))
        _limit(resource.RLIMIT_NOFILE, descriptors + SPARE_FILES)
    done.append("limits")
    if calls and os.geteuid() == 0 and _become_nobody():
        done.append("user")
    if calls:
        # without a filter no thread either, which that can tell from a process
        _limit(resource.RLIMIT_NPROC, counted_tasks() + SPARE_THREADS if filtered else 0)
        if linux:  # at last: counting took some, which stays for later threads
            _limit(resource.RLIMIT_AS, _address_space() + more_memory_bytes)
    if not linux:
        return tuple(done)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # forgotten with the change of user
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        done.append("privileges")
        if filtered and filter_calls(libc):
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


def counted_tasks() -> int:
    """How many threads the kernel counts for this user, to some sixteen: what RLIMIT_NPROC is compared with. Found by asking for one more under limits of
    several heights, as what ``/proc`` shows is not all of them: other containers have users of the same number. 0 for who is exempt."""
    before = resource.getrlimit(resource.RLIMIT_NPROC)
    ceiling = _MOST_TASKS if before[1] == resource.RLIM_INFINITY else before[1]
    refused, granted = 0, min(_FIRST_GUESS, ceiling)
    try:
        while not _one_more(granted, before[1]):
            if granted == ceiling:
                return ceiling
            refused, granted = granted, min(4 * granted, ceiling)
        while granted - refused > _NEAR:
            middle = (refused + granted) // 2
            refused, granted = (refused, middle) if _one_more(middle, before[1]) else (middle, granted)
    finally:
        resource.setrlimit(resource.RLIMIT_NPROC, before)
    return refused


def _one_more(limit: int, hard: int) -> bool:
    """Whether a thread can be made under this limit. It is gone again."""
    resource.setrlimit(resource.RLIMIT_NPROC, (limit, hard))
    over = _thread.allocate_lock()
    over.acquire()
    try:
        _thread.start_new_thread(over.release, ())
    except RuntimeError:
        return False
    over.acquire()
    return True


def _become_nobody() -> bool:
    try:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    except OSError:
        return False
    return True


def filter_calls(libc: ctypes.CDLL) -> bool:
    """For every thread there is. False: not here. Needs ``no_new_privs``."""
    machine = platform.machine()
    code = program(machine)
    if code is None:
        return False
    lines = ctypes.create_string_buffer(code, len(code))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(lines)))
    return bool(libc.syscall(SECCOMP[machine], _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, header) == 0)
