"""Debian's Janus as a benchmark peer: a configuration of its own in a temporary folder, spoken to over its WebSocket API."""

import asyncio
import contextlib
import itertools
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp

from media.bench.network import BenchError, Namespace

WS_PORT = 8188
START_TIMEOUT_S = 15.0
REQUEST_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 5.0
ROOM_SETTINGS = {"publishers": 100, "bitrate": 0, "fir_freq": 0, "videocodec": "vp8", "notify_joining": False}

_CONFIG = """general: {{
  configs_folder = "{folder}"
  plugins_folder = "{modules}/plugins"
  transports_folder = "{modules}/transports"
  events_folder = "{modules}/events"
  loggers_folder = "{modules}/loggers"
  debug_level = 3
  {loops}
}}
nat: {{
  ice_enforce_list = "{address}"
}}
plugins: {{
  disable = "{plugins}"
}}
transports: {{
  disable = "{transports}"
}}
"""
_WEBSOCKETS = """general: {{
  ws = true
  ws_port = {port}
  ws_ip = "{address}"
}}
"""


def find_janus() -> tuple[str, Path]:
    """(program, folder of its modules). Raises BenchError when Janus is not installed."""
    program = shutil.which("janus")
    modules = next(iter(sorted(Path("/usr/lib").glob("*/janus"))), None)
    if program is None or modules is None:
        raise BenchError("janus is not installed; apt-get install janus")
    return program, modules


def _others(folder: Path, wanted: str) -> str:
    return ",".join(sorted(path.name for path in folder.glob("*.so") if wanted not in path.name))


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-500:]


class Janus:
    """One Janus process in a namespace, VideoRoom and WebSockets only. Use as an async context manager."""

    def __init__(self, namespace: Namespace, pin: tuple[str, ...], *, event_loops: int = 0) -> None:
        self._program, modules = find_janus()
        self._namespace = namespace
        self._pin = pin
        self._folder = tempfile.TemporaryDirectory(prefix="tongping-bench-")
        folder = Path(self._folder.name)
        address = namespace.server_address
        (folder / "janus.jcfg").write_text(
            _CONFIG.format(
                folder=folder,
                modules=modules,
                address=address,
                loops=f"event_loops = {event_loops}" if event_loops else "",
                plugins=_others(modules / "plugins", "videoroom"),
                transports=_others(modules / "transports", "websockets"),
            )
        )
        (folder / "janus.transport.websockets.jcfg").write_text(_WEBSOCKETS.format(port=WS_PORT, address=address))
        (folder / "janus.plugin.videoroom.jcfg").write_text("general: {\n}\n")
        self._process: asyncio.subprocess.Process | None = None
        self._http: aiohttp.ClientSession | None = None
        self._reader: asyncio.Task[None] | None = None
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._session = 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> "Janus":
        log = Path(self._folder.name) / "janus.log"
        command = (*self._namespace.prefix, *self._pin, self._program, "-F", self._folder.name)
        try:
            with log.open("wb") as output:
                self._process = await asyncio.create_subprocess_exec(
                    *command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
                )
            await self._open(log)
        except BaseException:
            await self._close()
            raise
        return self

    async def _open(self, log: Path) -> None:
        self._http = aiohttp.ClientSession()
        url = f"ws://{self._namespace.server_address}:{WS_PORT}"
        assert self._process is not None
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while True:
                    if self._process.returncode is not None:
                        raise BenchError(f"janus ended: {_tail(log)}")
                    try:
                        self._socket = await self._http.ws_connect(url, protocols=("janus-protocol",), max_msg_size=1 << 22)
                        break
                    except aiohttp.ClientError:
                        await asyncio.sleep(0.1)
        except TimeoutError:
            raise BenchError(f"janus does not listen: {_tail(log)}") from None
        self._reader = asyncio.create_task(self._read())
        self._session = (await self._ask({"janus": "create"}))["data"]["id"]

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._http is not None:
            await self._http.close()
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        self._folder.cleanup()

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            data = message.json()
            waiting = self._waiting.get(data.get("transaction", ""))
            if waiting is not None and not waiting.done() and data.get("janus") != "ack":
                waiting.set_result(data)

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        transaction = f"bench{next(self._numbers)}"
        waiting = self._waiting[transaction] = asyncio.get_running_loop().create_future()
        if self._session:
            request = {"session_id": self._session, **request}
        try:
            await self._socket.send_json({**request, "transaction": transaction})
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                answer: dict[str, Any] = await waiting
        except TimeoutError:
            raise BenchError("janus does not answer") from None
        finally:
            del self._waiting[transaction]
        problem = answer.get("error") or answer.get("plugindata", {}).get("data", {}).get("error")
        if problem:
            raise BenchError(f"janus refuses: {problem}")
        return answer

    async def attach(self) -> int:
        """A new VideoRoom handle."""
        handle: int = (await self._ask({"janus": "attach", "plugin": "janus.plugin.videoroom"}))["data"]["id"]
        return handle

    async def message(self, handle: int, body: dict[str, Any], kind: str = "", sdp: str = "") -> tuple[dict[str, Any], str]:
        """(plugin data, SDP or "") of the answer."""
        request: dict[str, Any] = {"janus": "message", "handle_id": handle, "body": body}
        if sdp:
            request["jsep"] = {"type": kind, "sdp": sdp}
        answer = await self._ask(request)
        return answer.get("plugindata", {}).get("data", {}), answer.get("jsep", {}).get("sdp", "")
