"""``tongping loadtest``."""

import asyncio
import getpass
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.errors import ConfigError

if TYPE_CHECKING:
    from server.loadtest.api import Api
    from server.loadtest.settings import Settings

FAILED, INTERRUPTED = 1, 130
KEY, PASSWORD = "TONGPING_LOADTEST_KEY", "TONGPING_LOADTEST_PASSWORD"


def loadtest(
    rooms: Annotated[int, typer.Option(help="Sessions at a time (1 to 200).")] = 5,
    people: Annotated[int, typer.Option(help="In each (2 to 12).")] = 3,
    duration: Annotated[float, typer.Option(help="Seconds that are measured (1 to 3600), after all came in.")] = 30,
    ramp: Annotated[float, typer.Option(help="Joins begun a second; 0: as fast as they go.")] = 0,
    url: Annotated[str, typer.Option(help="A server that runs; a new one on this machine otherwise.")] = "",
    username: Annotated[
        str, typer.Option(help=f"Staff account at that server, its password in {PASSWORD} or asked for; else its key in {KEY}.")
    ] = "",
    own: Annotated[
        bool, typer.Option("--i-own-this-server", help="It is neither here nor in a private network, and yours.")
    ] = False,
    insecure: Annotated[bool, typer.Option("--insecure", help="Do not check its certificate.")] = False,
    processes: Annotated[int, typer.Option(help="That make the load; 0: as many as it needs.")] = 0,
    plot: Annotated[Path | None, typer.Option(help="Draw the seconds into this PNG file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON instead of a table.")] = False,
) -> None:
    """Whole sessions against a server: requests, signalling, ICE, DTLS-SRTP, pictures and voices that were encoded once.

    Exit status 1 when somebody could not come in or was cut off, or nothing could be measured.
    """
    from server.loadtest import settings as bounds
    from server.loadtest.plot import draw
    from server.loadtest.report import table

    settings = bounds.Settings(rooms, people, duration, url, ramp, processes, plot, insecure)
    bounds.check(settings)
    sign_in = None
    if url:
        settings = replace(settings, url=bounds.check_target(url, owned=own))
        sign_in = _sign_in(username)
    elif username or own or insecure:
        raise ConfigError("--username, --insecure and --i-own-this-server go with --url")
    try:
        found = asyncio.run(_run(settings, sign_in, quiet=as_json))
    except bounds.LoadtestFailed as problem:
        print(f"loadtest: {problem}", file=sys.stderr)
        raise typer.Exit(FAILED) from None
    except (asyncio.CancelledError, KeyboardInterrupt):
        print("loadtest: interrupted; everything was ended", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    print(json.dumps(found, ensure_ascii=False) if as_json else table(found))
    if plot is not None:
        try:
            plot.write_bytes(draw(found))
        except OSError as error:
            raise ConfigError(f"--plot: {plot}: {error.strerror}") from None
    if found["failures"]:
        raise typer.Exit(FAILED)


def _sign_in(username: str) -> Any:
    """Secrets come from the environment or the keyboard: a command line is seen by everybody on the machine."""
    key = os.environ.get(KEY, "")
    if username:
        password = os.environ.get(PASSWORD) or getpass.getpass(f"Password of {username}: ")
    elif not key:
        raise ConfigError(f"--url needs the server's key in {KEY} (tongping token), or --username")

    async def sign_in(api: "Api") -> None:
        if username:
            await api.sign_in(username, password)
        else:
            api.authorization = f"Bearer {key}"

    return sign_in


async def _run(settings: "Settings", sign_in: Any, *, quiet: bool) -> dict[str, Any]:
    """SIGINT and SIGTERM end it in order."""
    from server.loadtest.run import run

    task = asyncio.create_task(run(settings, sign_in, (lambda _: None) if quiet else _tell))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    return await task


def _tell(text: str) -> None:
    print(f"loadtest: {text}", file=sys.stderr, flush=True)
