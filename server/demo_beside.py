"""The demo's bank beside the server: where it listens, what the server must be told of it, its key. Only ``serve --demo`` does this.

The bank itself (``server/demo_bank``) knows nothing of this process: it gets addresses and a key, as a bank would.
"""

import asyncio
import os
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from server import app, data_lock, tls
from server.clock import SystemClock
from server.config import Config
from server.config_cobrowse import CobrowseSite
from server.context import Context
from server.demo_bank.run import running
from server.demo_bank.settings import Settings
from server.demo_bank.shown import rules
from server.errors import ConfigError, Unauthenticated

FOLDER = "demo-bank"
KEY_FILE = "api.key"
RULES_FILE = "cobrowse.toml"
SITE = "pk_demo"
KEY_NAME = "demo bank"
PORTS_TRIED = 9
HOOK_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Place:
    """``config``: what the server is to be started with, so that it tells this bank of its verifications and sends its customers back. ``hooks``: where
    webhooks come in, where that is not the same socket: the bank's own certificate may be one that nobody trusts."""

    config: Config
    sock: socket.socket
    hooks: socket.socket | None
    url: str
    callback_url: str

    def close(self) -> None:
        """Again, or after the bank has taken the sockets over, does no harm."""
        for one in (self.sock, self.hooks):
            if one is not None:
                one.close()


def place(config: Config) -> Place:
    """Sockets for the bank, bound. Raises ConfigError: the port that was chosen is in use."""
    sock = _listen(config)
    url = app.local_url(config, sock.getsockname()[1])
    hooks, callback_url = None, url
    if config.tls:
        hooks = app.listen(HOOK_HOST, 0)
        callback_url = f"http://{HOOK_HOST}:{hooks.getsockname()[1]}"
    webhooks = msgspec.structs.replace(config.webhooks, origins=(*config.webhooks.origins, callback_url))
    transactions = config.transactions
    if Settings(server_url="", key="", folder=config.data_dir, public_url=url).may_return:
        transactions = msgspec.structs.replace(transactions, return_origins=(*transactions.return_origins, url))
    cobrowse = msgspec.structs.replace(config.cobrowse, sites=(*config.cobrowse.sites, _site(config, url)))
    changed = msgspec.structs.replace(config, webhooks=webhooks, transactions=transactions, cobrowse=cobrowse)
    return Place(changed, sock, hooks, url, callback_url)


def _site(config: Config, url: str) -> CobrowseSite:
    """The bank's own pages. Its rules name its address, so they are written anew at each start. Raises ConfigError."""
    data_lock.make_folder(config.data_dir)
    path = config.data_dir / FOLDER / RULES_FILE
    _write(path, rules(url).decode())
    return CobrowseSite(key=SITE, name=config.bank.name_en, origins=(url,), rules=path, presence=True)


def _listen(config: Config) -> socket.socket:
    if config.demo_bank_port:
        return app.listen(config.host, config.demo_bank_port)
    for port in range(config.port + 1, config.port + 1 + PORTS_TRIED) if config.port else ():
        try:
            return app.listen(config.host, port)
        except (ConfigError, OverflowError):
            continue
    return app.listen(config.host, 0)


@asynccontextmanager
async def bank(place: Place, context: Context) -> AsyncIterator[str]:
    """The bank, serving until the block is left; its address. Raises ConfigError."""
    config = place.config
    folder = config.data_dir / FOLDER
    settings = Settings(
        server_url=context.public_url,
        key=await _key(context, folder),
        folder=folder,
        public_url=place.url,
        callback_url=place.callback_url,
        ca_file=_own_certificate(config),
        name_zh=config.bank.name_zh,
        name_en=config.bank.name_en,
        pack=config.verification.pack if config.verification.enabled else "",
        site=SITE if any(site.key == SITE for site in context.config.cobrowse.sites) else "",
    )
    certificate = await asyncio.to_thread(tls.server_context, config, SystemClock().now())
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(running(settings, place.sock, tls=certificate, hook_sock=place.hooks))
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"the demo's bank cannot use {folder}: {error}") from None
        yield place.url


def _own_certificate(config: Config) -> str:
    """What the bank must trust to reach the server; "" where the system's authorities will do, or there is no TLS."""
    if config.tls_self_signed:
        return str(config.data_dir / tls.CERTIFICATE)
    return config.tls_cert_file


async def _key(context: Context, folder: Path) -> str:
    """The one of earlier starts, whose verifications are under way; a new one where it is gone or was revoked."""
    path = folder / KEY_FILE
    kept = await asyncio.to_thread(_read, path)
    try:
        await context.keys.authenticate(kept)
    except Unauthenticated:
        made = await context.keys.create(KEY_NAME, "demo", faces=True, verifications=True)
        await asyncio.to_thread(_write, path, made.secret)
        return made.secret
    return kept


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _write(path: Path, text: str) -> None:
    """Mode 0600. Raises ConfigError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
