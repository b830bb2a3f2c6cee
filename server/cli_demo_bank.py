"""``tongping demo-bank``: the demo's bank on its own, with a server that runs elsewhere. ``serve --demo`` starts one beside itself."""

import asyncio
import signal
import sqlite3
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from server.errors import ConfigError


def command(
    server: Annotated[str, typer.Option(help="Public address of the Tongping server, as its own pages have it.")],
    key_file: Annotated[Path, typer.Option(help="File with an API key made with `token NAME --faces --verifications`.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port to serve on; 0 takes a free one.")] = 8081,
    data: Annotated[Path, typer.Option(help="Folder of the bank's own books.")] = Path("var/demo-bank"),
    callback: Annotated[bool, typer.Option(help="Be told by webhooks; without, the server is asked every 20 seconds.")] = True,
    ca_file: Annotated[Path | None, typer.Option(help="Certificate (PEM) to trust besides the system's.")] = None,
) -> None:
    """Serve the demo's bank on this machine. The server must name its address in `webhooks.origins` and `transactions.return_origins`."""
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigError("--server: like https://video.bank.example, without a path")
    try:
        key = key_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--key-file: cannot read {key_file}: {getattr(error, 'strerror', None) or error}") from None
    if not key.startswith("AK_") or "." not in key:
        raise ConfigError(f"--key-file: {key_file} holds no API key")
    if ca_file is not None and not ca_file.is_file():
        raise ConfigError(f"--ca-file: {ca_file} is not there")
    asyncio.run(_serve(server.rstrip("/"), key, port, data, callback, str(ca_file or "")))


async def _serve(server: str, key: str, port: int, data: Path, callback: bool, ca_file: str) -> None:
    from server.app import listen
    from server.demo_bank.run import running
    from server.demo_bank.settings import Settings

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    sock = listen("127.0.0.1", port)
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    settings = Settings(
        server_url=server, key=key, folder=data, public_url=url, callback_url=url if callback else "", ca_file=ca_file
    )
    try:
        async with running(settings, sock):
            print(f"bank  {url}", flush=True)
            await stop.wait()
    except (OSError, sqlite3.Error) as error:
        sock.close()
        raise ConfigError(f"the demo's bank cannot use {data}: {error}") from None
