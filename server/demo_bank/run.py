"""The bank as it runs: books, clerk, pages, and the address for webhooks. SHELL."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from aiohttp import web

from server.demo_bank import hooks
from server.demo_bank.books import Books
from server.demo_bank.clerk import Clerk
from server.demo_bank.guard import BOOKS, SETTINGS
from server.demo_bank.settings import Settings
from server.demo_bank.video import Video
from server.demo_bank.web import CLERK, VIDEO, application, take_hooks

STOP_S = 1.0
BACKLOG = 128


@asynccontextmanager
async def running(
    settings: Settings, sock: socket.socket, *, tls: ssl.SSLContext | None = None, hook_sock: socket.socket | None = None
) -> AsyncIterator[Clerk]:
    """Up and answering on ``sock``, which is its own from now on; taken down on leaving. ``hook_sock``: webhooks come in there, without TLS, and not
    on ``sock``. Raises OSError, sqlite3.Error where the folder cannot be used."""
    async with AsyncExitStack() as stack:
        for one in (sock, hook_sock):
            if one is not None:
                stack.callback(one.close)
        books = await asyncio.to_thread(Books, settings.folder)
        stack.callback(books.close)
        video = Video(settings)
        stack.push_async_callback(video.close)
        clerk = Clerk(settings, books, video, lambda: datetime.now(UTC))
        app = application()
        for_hooks = app if hook_sock is None else web.Application(client_max_size=hooks.MAX_BYTES)
        take_hooks(for_hooks)
        for one_app in {app, for_hooks}:
            one_app[SETTINGS], one_app[BOOKS], one_app[VIDEO], one_app[CLERK] = settings, books, video, clerk
        if hook_sock is not None:
            await _serve(stack, for_hooks, hook_sock, None)
        await _serve(stack, app, sock, tls)
        working = asyncio.create_task(clerk.run(), name="demo-bank-clerk")
        stack.push_async_callback(_stop, clerk, working)
        yield clerk


async def _serve(stack: AsyncExitStack, app: web.Application, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=STOP_S)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, sock, ssl_context=tls, backlog=BACKLOG).start()


async def _stop(clerk: Clerk, working: "asyncio.Task[None]") -> None:
    """Between two orders, if one is done soon: what is cut off while it is redeemed is never carried out."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_S):
            await clerk.rest()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
