"""coturn as a process of ours: its configuration written for the owner's eyes only, started in the foreground, ended with us."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import os
import shutil
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from turn.errors import RelayError
from turn.probe import Target, probe
from turn.settings import Settings, render

BINARY = "turnserver"
PACKAGE = "coturn"
CONFIGURATION = "turnserver.conf"
READY_S = 15.0
STOP_S = 3.0
WARM_UP, WARM_UP_TRIES = 8, 24  # allocations that must succeed in a row
READY_LINE = b"IO method (admin thread)"  # the last that it starts, after those that know the secret


def binary() -> str:
    """Raises RelayError: it is not installed."""
    found = shutil.which(BINARY) or shutil.which(BINARY, path="/usr/bin:/usr/sbin:/usr/local/bin")
    if found is None:
        raise RelayError(
            "not_installed", f"{BINARY} is not installed; as root: apt-get install -y --no-install-recommends {PACKAGE}"
        )
    return found


def write(settings: Settings, path: Path) -> None:
    """The configuration, mode 0600, whole or not at all. Raises RelayError."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(render(settings))
        temporary.replace(path)
    except OSError as error:
        raise RelayError("not_written", f"{path} cannot be written: {error.strerror}") from None


def check_ports(settings: Settings) -> None:
    """coturn shares a port with whoever allows that, and goes on without an address that it cannot have. Raises RelayError."""
    for host in settings.listen:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        for port in filter(None, (settings.port, settings.tls_port)):
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                try:
                    with socket.socket(family, kind) as sock:
                        if kind is socket.SOCK_STREAM:
                            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        sock.bind((host, port))
                        if kind is socket.SOCK_STREAM:
                            sock.listen(1)
                except OSError as error:
                    raise RelayError("port", f"port {port} of {host} cannot be used: {error.strerror}") from None


class Relay:
    """A running coturn. ``log``: the newest lines that it wrote."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.log: list[str] = []

    async def ended(self) -> int:
        """Its exit status, when it has one."""
        return await self.process.wait()


@asynccontextmanager
async def running(settings: Settings, folder: Path, tell: Callable[[str], None] = lambda _: None) -> AsyncIterator[Relay]:
    """coturn, once it listens; stopped on leaving. ``tell`` gets each line of its log. Raises RelayError.

    It dies with this process, also when that is killed: the kernel is asked to (prctl, Linux).
    """
    path = folder / CONFIGURATION
    command = binary()
    check_ports(settings)
    write(settings, path)
    process = await asyncio.create_subprocess_exec(
        command,
        "-c",
        str(path),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env={"PATH": os.environ.get("PATH", os.defpath)},  # it is nobody's business what ours holds
        preexec_fn=_die_with_parent,
    )
    relay = Relay(process)
    ready = asyncio.Event()
    reading = asyncio.create_task(_read(relay, ready, tell), name="turn-log")
    try:
        waiting = asyncio.create_task(ready.wait())
        done, _ = await asyncio.wait({waiting, reading}, timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if waiting not in done:
            last = next((line for line in reversed(relay.log) if "rror" in line or "annot" in line), "it said nothing")
            raise RelayError("not_started", f"{BINARY} did not start: {last[:200]}")
        await _warm_up(settings)
        yield relay
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        await reading


async def _warm_up(settings: Settings) -> None:
    """Use every one of coturn's threads once, one after another. Raises RelayError: it gives no allocation.

    Each opens coturn's database when it is first asked for a credential; two at once refuse a good one.
    """
    in_a_row, problem = 0, ""
    target = Target(settings.listen[0], settings.port, "tcp")
    for number in range(WARM_UP_TRIES):
        username = f"{int(time.time()) + 60}:start-{number}"
        digest = hmac.new(settings.secret.encode(), username.encode(), hashlib.sha1).digest()
        problem = (await probe(target, username, base64.b64encode(digest).decode())).problem
        in_a_row = 0 if problem else in_a_row + 1
        if in_a_row == WARM_UP:
            return
    raise RelayError("not_started", f"{BINARY} gives no allocation: {problem}")


async def _read(relay: Relay, ready: asyncio.Event, tell: Callable[[str], None]) -> None:
    assert relay.process.stdout is not None
    while line := await relay.process.stdout.readline():
        text = line.decode("utf-8", "replace").rstrip()
        relay.log.append(text)
        del relay.log[:-200]
        tell(text)
        if READY_LINE in line:
            ready.set()


def _die_with_parent() -> None:
    """PR_SET_PDEATHSIG (prctl 2); between fork and exec."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
