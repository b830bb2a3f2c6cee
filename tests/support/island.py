"""A network of its own for a browser, where nothing but loopback is: no UDP leaves it, and TCP only to the ports that are forwarded.

The namespace's listening sockets are made by a child inside it and handed out; what they accept is carried to the same port of
this machine's 127.0.0.1. Needs root and Linux; ``reason`` says why it cannot be, where it cannot.
"""

import array
import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

_INSIDE = """
import array, fcntl, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    request = struct.pack("16sH14x", b"lo", 0)
    flags = struct.unpack("16sH14x", fcntl.ioctl(control, 0x8913, request))[1]  # SIOCGIFFLAGS
    fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", b"lo", flags | 1))  # SIOCSIFFLAGS, IFF_UP
give = socket.socket(fileno=int(sys.argv[1]))
listening = [socket.create_server(("127.0.0.1", int(port)), backlog=64) for port in sys.argv[2:]]
give.sendmsg([b"ready"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [one.fileno() for one in listening]))])
give.recv(1)  # until the test is over
"""


def reason() -> str:
    """Why there can be no island here; empty when there can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "a network namespace needs root on Linux"
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return "needs unshare and nsenter (Debian: util-linux)"
    done = subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True, text=True)
    return f"no network namespaces here: {done.stderr.strip()}" if done.returncode else ""


class Island:
    """``carried``: bytes that went through each forwarded port."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.carried: dict[int, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def program(self, folder: Path, command: str) -> str:
        """A script that starts ``command`` inside."""
        path = folder / "inside.sh"
        path.write_text(f'#!/bin/sh\nexec nsenter --net=/proc/{self.pid}/ns/net {command} "$@"\n')
        path.chmod(0o755)
        return str(path)


@asynccontextmanager
async def island(*ports: int) -> AsyncIterator[Island]:
    ours, theirs = socket.socketpair()
    with theirs:
        command = ["unshare", "--net", sys.executable, "-c", _INSIDE, str(theirs.fileno()), *map(str, ports)]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)  # noqa: ASYNC220 - it is there at once
    servers: list[asyncio.Server] = []
    made = Island(process.pid)
    try:
        _, ancillary, _, _ = await asyncio.to_thread(ours.recvmsg, 16, socket.CMSG_SPACE(4 * len(ports)))
        descriptors = array.array("i")
        for _, _, data in ancillary:
            descriptors.frombytes(data)
        for port, descriptor in zip(ports, descriptors, strict=True):
            made.carried[port] = 0
            servers.append(await asyncio.start_server(_carrier(made, port), sock=socket.socket(fileno=descriptor)))
        yield made
    finally:
        for server in servers:
            server.close()
        for task in list(made._tasks):
            task.cancel()
        await asyncio.gather(*made._tasks, return_exceptions=True)
        ours.close()
        await asyncio.to_thread(process.wait, 10)


def _carrier(made: Island, port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        made._tasks.add(task)
        try:
            out_reader, out_writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                await asyncio.gather(_pump(made, port, reader, out_writer), _pump(made, port, out_reader, writer))
            finally:
                out_writer.close()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            made._tasks.discard(task)

    return carry


async def _pump(made: Island, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            made.carried[port] += len(data)
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()
