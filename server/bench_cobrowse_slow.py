"""A slow line for the benchmark of co-browse: a TCP port before another, from which comes only so much a second."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

KEPT_BYTES = 4096
"""By the kernel, of what was sent to this end and not taken; it keeps twice that."""
EVERY_S = 0.05


class SlowLine:
    """``bytes``: how many came down."""

    def __init__(self, host: str, port: int, bytes_s: float) -> None:
        self._to = host, port
        self._bytes_s = bytes_s
        self._tasks: set[asyncio.Task[None]] = set()
        self.bytes = 0

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """No coroutine: of one, asyncio's server asks what it raised, and says of one that ``close`` ended that it failed."""
        task = asyncio.create_task(self._served(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def close(self) -> None:
        """Whoever is connected is cut off."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as up, contextlib.suppress(ConnectionError):
            up.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KEPT_BYTES)
            up.setblocking(False)
            await asyncio.get_running_loop().sock_connect(up, self._to)
            ways = {asyncio.create_task(self._up(reader, up)), asyncio.create_task(self._down(up, writer))}
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)

    async def _up(self, reader: asyncio.StreamReader, up: socket.socket) -> None:
        while data := await reader.read(65536):
            await asyncio.get_running_loop().sock_sendall(up, data)

    async def _down(self, up: socket.socket, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        begin, taken = loop.time(), 0
        while data := await loop.sock_recv(up, max(1, int(self._bytes_s * EVERY_S))):
            taken += len(data)
            self.bytes += len(data)
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(max(0.0, begin + taken / self._bytes_s - loop.time()))


@asynccontextmanager
async def slow_line(host: str, port: int, bytes_s: float) -> AsyncIterator[tuple[str, SlowLine]]:
    """The URL to connect to instead."""
    line = SlowLine(host, port, bytes_s)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", line
    finally:
        server.close()
        await line.close()
        await server.wait_closed()
