"""A network namespace with a virtual Ethernet pair: the server inside, the load outside. Linux, root.

libnice leaves out loopback addresses, so Janus needs a real interface; ours is measured over the same pair.
"""

import os
import shutil
import subprocess
from types import TracebackType

COMMAND_TIMEOUT_S = 10


class BenchError(Exception):
    """The benchmark cannot run here; the text says what is missing."""


class Namespace:
    """Use as a context manager. Addresses are from 198.18.0.0/15, which RFC 2544 sets aside for benchmarks."""

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise BenchError("comparing needs root (a network namespace); run it with sudo")
        ip = shutil.which("ip", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if ip is None:
            raise BenchError("comparing needs the ip command; apt-get install iproute2")
        self._ip = ip
        number = os.getpid() % 16384
        net = f"198.18.{number // 64}.{number % 64 * 4}"
        head, _, last = net.rpartition(".")
        self.load_address = f"{head}.{int(last) + 1}"
        self.server_address = f"{head}.{int(last) + 2}"
        self.name = f"tongping-bench-{os.getpid()}"
        self._outer, self._inner = f"tpb{os.getpid()}a", f"tpb{os.getpid()}b"

    @property
    def prefix(self) -> tuple[str, ...]:
        """Put before a command to run it inside; the process id stays that of the command."""
        return (self._ip, "netns", "exec", self.name)

    def _run(self, *arguments: str, check: bool = True) -> None:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            [self._ip, *arguments], capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
        if check and done.returncode:
            raise BenchError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")

    def __enter__(self) -> "Namespace":
        try:
            self._run("netns", "add", self.name)
            self._run("link", "add", self._outer, "type", "veth", "peer", "name", self._inner)
            self._run("link", "set", self._inner, "netns", self.name)
            self._run("addr", "add", f"{self.load_address}/30", "dev", self._outer)
            self._run("link", "set", self._outer, "up")
            self._run("-n", self.name, "addr", "add", f"{self.server_address}/30", "dev", self._inner)
            self._run("-n", self.name, "link", "set", self._inner, "up")
            self._run("-n", self.name, "link", "set", "lo", "up")
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._remove()

    def _remove(self) -> None:
        self._run("link", "del", self._outer, check=False)
        self._run("netns", "del", self.name, check=False)
