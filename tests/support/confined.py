"""Started in the place of a decoder: what one is not able to do, or one that runs as an ordinary user.

python tests/support/confined.py tries CONTROL LISTENER     says of each attempt what became of it
python tests/support/confined.py decodes CONTROL LISTENER   a real decoder

Root gives up its rights first, so that what is refused is refused by nothing that an ordinary user has not got as well; ``root`` after
the first word keeps them.
"""

import ctypes
import functools
import os
import platform
import resource
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from media import control
from media.tap import confine, decoder
from media.tap.wire import Ready

USER = 12345
COLUMN = {"x86_64": 0, "aarch64": 1}.get(platform.machine())
SIGINFO = struct.pack("@iii4xiI", signal.SIGKILL, 0, -1, 0, 0) + bytes(104)
HERE = -100


def calls(folder: str, victim: int) -> dict[str, tuple[tuple[int, int], tuple[object, ...]]]:
    """By name: numbers on x86_64 and on aarch64 (-1: none), arguments with which it would work on what this user owns."""
    file, sub = f"{folder}/file".encode(), f"{folder}/sub".encode()
    other = f"{folder}/other".encode()
    room = ctypes.create_string_buffer(512)
    return {
        "kill": ((62, 129), (victim, signal.SIGKILL)),
        "tkill": ((200, 130), (victim, signal.SIGKILL)),
        "tgkill": ((234, 131), (victim, victim, signal.SIGKILL)),
        "rt_sigqueueinfo": ((129, 138), (victim, signal.SIGKILL, SIGINFO)),
        "rt_tgsigqueueinfo": ((297, 240), (victim, victim, signal.SIGKILL, SIGINFO)),
        "pidfd_open": ((434, 434), (victim, 0)),
        "pidfd_send_signal": ((424, 424), (0, signal.SIGKILL, None, 0)),
        "ptrace": ((101, 117), (16, victim, 0, 0)),
        "process_vm_readv": ((310, 270), (victim, None, 0, None, 0, 0)),
        "setpriority": ((141, 140), (0, victim, 19)),
        "sched_setaffinity": ((203, 122), (victim, 8, b"\1" + bytes(7))),
        "sched_setscheduler": ((144, 119), (victim, 3, bytes(4))),
        "ioprio_set": ((251, 30), (1, victim, 7)),
        "prlimit64": ((302, 261), (victim, 7, struct.pack("QQ", 3, 3), None)),
        "open": ((2, -1), (file, 0)),
        "openat": ((257, 56), (HERE, file, 0)),
        "openat2": ((437, 437), (HERE, file, bytes(24), 24)),
        "chmod": ((90, -1), (file, 0o666)),
        "fchmod": ((91, 52), (0, 0o666)),
        "fchmodat": ((268, 53), (HERE, file, 0o666)),
        "fchmodat2": ((452, 452), (HERE, file, 0o666, 0)),
        "chown": ((92, -1), (file, -1, -1)),
        "lchown": ((94, -1), (file, -1, -1)),
        "fchownat": ((260, 54), (HERE, file, -1, -1, 0)),
        "truncate": ((76, 45), (file, 0)),
        "unlink": ((87, -1), (file,)),
        "unlinkat": ((263, 35), (HERE, file, 0)),
        "rmdir": ((84, -1), (sub,)),
        "mkdir": ((83, -1), (other, 0o700)),
        "mkdirat": ((258, 34), (HERE, other, 0o700)),
        "rename": ((82, -1), (file, other)),
        "renameat2": ((316, 276), (HERE, file, HERE, other, 0)),
        "link": ((86, -1), (file, other)),
        "linkat": ((265, 37), (HERE, file, HERE, other, 0)),
        "symlinkat": ((266, 36), (file, HERE, other)),
        "mknodat": ((259, 33), (HERE, other, 0o010600, 0)),
        "utime": ((132, -1), (file, None)),
        "utimes": ((235, -1), (file, None)),
        "utimensat": ((280, 88), (HERE, file, None, 0)),
        "setxattr": ((188, 5), (file, b"user.x", b"y", 1, 0)),
        "removexattr": ((197, 14), (file, b"user.x")),
        "getxattr": ((191, 8), (file, b"user.x", room, 512)),
        "stat": ((4, -1), (file, room)),
        "newfstatat": ((262, 79), (HERE, file, room, 0)),
        "statx": ((332, 291), (HERE, file, 0, 0, room)),
        "access": ((21, -1), (file, 0)),
        "faccessat": ((269, 48), (HERE, file, 0)),
        "readlinkat": ((267, 78), (HERE, b"/proc/self/exe", room, 512)),
        "getdents64": ((217, 61), (0, room, 512)),
        "statfs": ((137, 43), (b"/", room)),
        "chdir": ((80, 49), (folder.encode(),)),
        "inotify_init1": ((294, 26), (0,)),
        "socket": ((41, 198), (socket.AF_INET, socket.SOCK_STREAM, 0)),
        "socketpair": ((53, 199), (socket.AF_UNIX, socket.SOCK_STREAM, 0, room)),
        "connect": ((42, 203), (0, struct.pack("H108s", socket.AF_UNIX, b"/x"), 110)),
        "bind": ((49, 200), (0, struct.pack("H108s", socket.AF_UNIX, b"/x"), 110)),
        "listen": ((50, 201), (0, 1)),
        "sendmsg": ((46, 211), (0, bytes(56), 0)),
        "recvmsg": ((47, 212), (0, room, 0)),
        "fcntl": ((72, 25), (0, 8, victim)),
        "ioctl": ((16, 29), (0, 0x5401, room)),
        "fork": ((57, -1), ()),
        "vfork": ((58, -1), ()),
        "clone": ((56, 220), (signal.SIGCHLD, 0, 0, 0, 0)),
        "clone3": ((435, 435), (struct.pack("4QQ3Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0), 64)),
        "execve": ((59, 221), (b"/bin/true", None, None)),
        "execveat": ((322, 281), (HERE, b"/bin/true", None, None, 0)),
        "mmap": ((9, 222), (None, 4096, 7, 0x22, -1, 0)),
        "memfd_create": ((319, 279), (b"x", 0)),
        "io_uring_setup": ((425, 425), (1, bytes(120))),
        "userfaultfd": ((323, 282), (1,)),
        "unshare": ((272, 97), (0x10000000,)),
        "personality": ((135, 92), (0x0400000,)),
        "prctl": ((157, 167), (4, 1, 0, 0, 0)),
        "shmget": ((29, 194), (0, 4096, 0o1600)),
        "msgget": ((68, 186), (0, 0o1600)),
        "semget": ((64, 190), (0, 1, 0o1600)),
        "mq_open": ((240, 180), (b"x", 0o102, 0o600, None)),
        "keyctl": ((250, 219), (0, -3, 1)),
        "add_key": ((248, 217), (b"user", b"x", b"y", 1, -3)),
        "timer_create": ((222, 107), (0, None, room)),
        "setitimer": ((38, 103), (0, bytes(32), None)),
        "setsid": ((112, 157), ()),
        "no such call": ((511, 511), ()),
    }


def others() -> dict[str, Callable[[], object]]:
    """What limits and its start keep it from, filter or not."""
    return {
        "memory": lambda: bytearray(2 << 30),
        "environment": lambda: os.environ["PATH"],
        "files": lambda: os.dup(0) and os.dup(0),
        "thread limits": lambda: resource.setrlimit(resource.RLIMIT_CPU, (1000, 1000)),
    }


def attempt(confining: Callable[[], object], what: Callable[[], object]) -> str:
    """In a child that is confined: ``did`` it, ``no``, or ``killed``."""
    child = os.fork()
    if child:
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGSYS:
            return "killed"
        return {0: "did", 1: "no"}.get(os.waitstatus_to_exitcode(status), f"status {status}")
    try:
        confining()
        what()
    except (OSError, MemoryError, KeyError, ValueError):
        os._exit(1)
    os._exit(0)


def tried() -> list[str]:
    outcomes = {name: attempt(lambda: confine.confine(3), what) for name, what in others().items()}
    libc = ctypes.CDLL(None, use_errno=True)

    def by_filter_alone() -> None:
        libc.prctl(38, 1, 0, 0, 0)
        confine.filter_calls(libc)

    victim = os.fork()
    if not victim:
        signal.pause()
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/sub")
        Path(folder, "file").write_text("kept")
        before = os.stat(f"{folder}/file")

        def call(number: int, arguments: tuple[object, ...]) -> None:
            """Raises OSError where the filter says EPERM; any other error is the call's own: it was reached."""
            plain = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
            if libc.syscall(ctypes.c_long(number), *plain) == -1 and ctypes.get_errno() == 1:
                raise OSError(1, "refused")

        for name, (numbers, arguments) in calls(folder, victim).items():
            if COLUMN is not None and numbers[COLUMN] >= 0:
                number = numbers[COLUMN]
                outcomes[name] = attempt(by_filter_alone, functools.partial(call, number, arguments))
        if os.stat(f"{folder}/file") == before and sorted(os.listdir(folder)) == ["file", "sub"]:
            outcomes["files are changed"] = "no"
    ours, its = os.getpriority(os.PRIO_PROCESS, 0), os.getpriority(os.PRIO_PROCESS, victim)
    if os.waitpid(victim, os.WNOHANG) == (0, 0) and its == ours:
        outcomes["others are harmed"] = "no"
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
    return [f"{outcome} {name}" for name, outcome in outcomes.items()]


def main() -> int:
    words, inherited = sys.argv[1:-2], sys.argv[-2:]
    if os.geteuid() == 0 and "root" not in words:
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)
    if "decodes" in words:
        return decoder.main(inherited)
    said = tried()
    for target, descriptor in enumerate(inherited, 103):
        os.dup2(int(descriptor), target)
    for target in (3, 4):
        os.dup2(target + 100, target)
    stream = socket.socket(fileno=3)
    held = confine.confine(5)
    stream.sendall(control.encode(Ready((*held, *said))))
    stream.recv(1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
