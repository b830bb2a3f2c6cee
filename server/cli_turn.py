"""``tongping turn``: the relay's configuration, the relay itself, and whether it works."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from server.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="The TURN relay (coturn); see docs/turn.md.")
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file; see docs/configuration.md.")]


@app.command("config")
def turn_config(
    config: ConfigFile = None,
    write: Annotated[Path | None, typer.Option(help="Into this file (mode 0600) instead of to the screen.")] = None,
) -> None:
    """Print or write turnserver.conf. It holds the secret that server and relay share."""
    from server import config as configuration
    from server import relaying

    loaded = configuration.load(config)
    if write is not None:
        relaying.write(loaded, write)
        print(f"written to {write}")
    else:
        print(relaying.configuration(loaded), end="")


@app.command("serve")
def turn_serve(config: ConfigFile = None) -> None:
    """Run coturn in the foreground, until SIGINT or SIGTERM. A server that runs from the same data folder finds it by itself."""
    from server import config as configuration

    asyncio.run(_serve(configuration.load(config)))


async def _serve(config: object) -> None:
    from server import relaying
    from server.config import Config

    assert isinstance(config, Config)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with relaying.serving(config) as (urls, ended):
        for url in urls:
            print(url)
        print("relaying; Ctrl+C ends it", flush=True)
        stopping = asyncio.create_task(stop.wait())
        died = asyncio.ensure_future(ended)
        await asyncio.wait({stopping, died}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if died.done() and not stop.is_set():
            raise ConfigError(f"the relay ended by itself with status {died.result()}")
        died.cancel()


@app.command("check")
def turn_check(config: ConfigFile = None) -> None:
    """Ask the relay for an allocation on every way to it. Exit status 1 when one does not work."""
    from server import config as configuration
    from server import relaying

    tried = asyncio.run(relaying.try_it(configuration.load(config)))
    for url, problem, took_s in tried:
        print(f"{problem or 'works':24} {took_s * 1000:6.0f} ms  {url}")
    if any(problem for _, problem, _ in tried):
        raise typer.Exit(1)
