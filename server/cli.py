"""The ``tongping`` command. Wrong configuration, a port in use and the like: one clear line and exit status 2."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from server import cli_keys, cli_recordings, cli_turn
from server.errors import TongpingError

T = TypeVar("T")
EXIT_USAGE = 2
EXIT_NOT_INTACT = 1
STOP_S = 3.0

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Tongping, 同屏.")
bench = typer.Typer(no_args_is_help=True, help="Measure, with figures as JSON.")
db = typer.Typer(no_args_is_help=True, help="The database.")
audit = typer.Typer(no_args_is_help=True, help="The audit trail.")
app.add_typer(bench, name="bench")
app.add_typer(db, name="db")
app.add_typer(audit, name="audit")
app.add_typer(cli_turn.app, name="turn")
app.add_typer(cli_keys.app, name="keys")
app.add_typer(cli_recordings.app, name="recordings")

ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file; see docs/configuration.md.")]


def main() -> None:
    """Entry point. No traceback for what the operator can put right."""
    try:
        app()
    except TongpingError as error:
        _fail(error.detail or error.code)


def _fail(message: str) -> NoReturn:
    print(f"tongping: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(EXIT_USAGE)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """On uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


@app.command()
def serve(
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option(help="Address to serve on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port to serve on; PORT is honoured too.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Make a demo session and print its links.")] = False,
    tls_self_signed: Annotated[
        bool, typer.Option("--tls-self-signed", help="HTTPS with a certificate made here, to try it from a phone.")
    ] = False,
    development: Annotated[bool, typer.Option("--development", help="Serve /dev/stories.")] = False,
) -> None:
    """Serve pages, API and signalling, with the media workers; stops on SIGINT and SIGTERM."""
    from server import config as configuration

    overrides: dict[str, object] = {}
    for name, value in (("host", host), ("port", port)):
        if value is not None:
            overrides[name] = value
    for name, on in (("demo", demo), ("tls_self_signed", tls_self_signed), ("development", development)):
        if on:
            overrides[name] = True
    loaded = configuration.load(config, overrides=overrides)
    _run(_serve(loaded))


async def _serve(config: Any) -> None:
    from server import demo, telemetry
    from server.app import running

    telemetry.configure(config.log_level)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    stack = AsyncExitStack()
    server = await stack.enter_async_context(running(config))
    try:
        if config.demo:
            passwords = dict(server.first_passwords) or demo.kept_passwords(config.data_dir)
            if server.first_passwords:
                demo.keep_passwords(config.data_dir, passwords)
            links = await demo.make_session(server.context, passwords)
            password = links.agent_password or "(the password that was set)"
            print(f"customer  {links.customer}")
            print(f"agent  {links.agent}  agent / {password}")
            print(f"expert  {links.expert}", flush=True)
        else:
            for username, password in server.first_passwords.items():
                print(f"first account, shown once: {username} / {password}")
            print(f"ready  {server.url}", flush=True)
        await stop.wait()
    finally:
        try:
            async with asyncio.timeout(STOP_S):
                await stack.aclose()
        except TimeoutError:
            print("tongping: not everything stopped in time", file=sys.stderr)


@app.command()
def token(
    name: Annotated[str, typer.Argument(help="Which of the bank's systems it is for.")],
    config: ConfigFile = None,
) -> None:
    """Make an API key for one of the bank's systems and print it, this once."""
    if not 1 <= len(name) <= 80:
        _fail("the name has 1 to 80 characters")
    print(_run(_token(config, name)))


async def _token(file: Path | None, name: str) -> str:
    from server.app import make_id
    from server.clock import SystemClock
    from server.services.keys import ApiKeys

    store = await _store(file, migrate=True)
    try:
        return (await ApiKeys(store, SystemClock(), make_id).create(name, "command-line")).secret
    finally:
        await store.close()


async def _store(file: Path | None, *, migrate: bool) -> Any:
    from server import config as configuration
    from server.app import database_url
    from server.data_lock import make_folder
    from server.store.sql import open_store

    config = configuration.load(file)
    make_folder(config.data_dir)
    return await open_store(database_url(config), migrate=migrate)


@db.command("upgrade")
def db_upgrade(config: ConfigFile = None) -> None:
    """Bring the database to the revision that this version needs."""
    _run(_upgrade(config))
    print("the database is up to date")


async def _upgrade(file: Path | None) -> None:
    store = await _store(file, migrate=True)
    await store.close()


@audit.command("verify")
def audit_verify(
    source: Annotated[Path | None, typer.Argument(help="A SQLite database or an export; the configured one otherwise.")] = None,
    checkpoint: Annotated[
        list[str] | None, typer.Option(help="A head printed before (NUMBER:HASH), kept elsewhere; may be repeated.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Check every link of the chain, offline. Exit status 1 when it is not intact.

    Keep the head it prints somewhere else: without a checkpoint a chain that was cut short or rewritten whole cannot be told.
    """
    from server import config as configuration
    from server.audit import verify

    path = source or configuration.load(config).data_dir / "tongping.db"
    if not path.is_file():
        _fail(f"{path} is not there")
    points = [verify.read_checkpoint(text) for text in checkpoint or []]
    with path.open("rb") as file:
        is_database = file.read(16) == b"SQLite format 3\x00"
    check = verify.verify_database if is_database else verify.verify_export
    report = check(path, checkpoints=points)
    if report.ok:
        print(f"intact: {report.entries} entries, head {verify.checkpoint_text(report.head)}")
    else:
        print(f"not intact: entry {report.broken}: {report.why}")
    if not report.ok:
        raise typer.Exit(EXIT_NOT_INTACT)


@audit.command("export")
def audit_export(
    config: ConfigFile = None,
    after: Annotated[int, typer.Option(help="Only entries with a greater number.", min=0)] = 0,
) -> None:
    """Write the audit trail to standard output as JSON lines."""
    from server import config as configuration
    from server.audit import verify

    for line in verify.export_database(configuration.load(config).data_dir / "tongping.db", after=after):
        sys.stdout.buffer.write(line)


@app.command()
def version() -> None:
    """Print the version."""
    from server.version import VERSION

    print(VERSION)


_BENCH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@bench.command("join", context_settings=_BENCH)
def bench_join(context: typer.Context) -> None:
    """Token to first decoded frame, in real browsers. `--help` lists its options."""
    from server import bench_join as join

    raise typer.Exit(join.main(context.args))


@bench.command("relay", context_settings=_BENCH)
def bench_relay(context: typer.Context) -> None:
    """CPU of a forwarded packet, ours and another relay's. `--help` lists its options."""
    from server.app import relay_bench

    raise typer.Exit(relay_bench(context.args))
