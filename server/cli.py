"""The ``tongping`` command. Wrong configuration, a port in use and the like: one clear line and exit status 2."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from server import (
    cli_audit,
    cli_decisions,
    cli_demo_bank,
    cli_evaluate,
    cli_evidence,
    cli_faces,
    cli_keys,
    cli_loadtest,
    cli_models,
    cli_recordings,
    cli_risk,
    cli_templates,
    cli_turn,
)
from server.errors import TongpingError

T = TypeVar("T")
EXIT_USAGE = 2
STOP_S = 3.0

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Tongping, 同屏.")
bench = typer.Typer(no_args_is_help=True, help="Measure, with figures as JSON.")
db = typer.Typer(no_args_is_help=True, help="The database.")
app.add_typer(bench, name="bench")
app.add_typer(db, name="db")
app.add_typer(cli_audit.app, name="audit")
app.add_typer(cli_turn.app, name="turn")
app.add_typer(cli_keys.app, name="keys")
app.add_typer(cli_recordings.app, name="recordings")
app.add_typer(cli_models.app, name="models")
app.add_typer(cli_templates.app, name="templates")
app.add_typer(cli_evidence.app, name="evidence")
app.add_typer(cli_evaluate.app, name="evaluate")
app.add_typer(cli_faces.faces, name="face")
app.add_typer(cli_faces.documents, name="document")
app.add_typer(cli_risk.app, name="risk")

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
    demo: Annotated[bool, typer.Option("--demo", help="Make a demo session and a demo bank, and print their links.")] = False,
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
    from server import heap, processes, telemetry

    heap.begins()
    telemetry.configure(config.log_level)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    stack = AsyncExitStack()
    try:
        with telemetry.held_back("media.child"):  # a configuration that is refused is one line
            launched = await stack.enter_async_context(processes.launched(config))
            await asyncio.to_thread(_read_modules)
            from server import demo, demo_beside
            from server.app import running

            place = demo_beside.place(config) if config.demo else None
            if place is not None:
                stack.callback(place.close)
            server = await stack.enter_async_context(running(place.config if place else config, processes=launched))
        heap.settled()
        loop.add_signal_handler(signal.SIGHUP, server.context.risk.rules.asked.set)
        if config.demo:
            passwords = dict(server.first_passwords) or demo.kept_passwords(config.data_dir)
            if server.first_passwords:
                demo.keep_passwords(config.data_dir, passwords)
            passwords = await demo.with_colleague(server.context, passwords, config.data_dir)
            links = await demo.make_session(server.context, passwords)
            assert place is not None
            bank = await stack.enter_async_context(demo_beside.bank(place, server.context))
            password = links.agent_password or "(the password that was set)"
            print(f"bank  {bank}")
            print(f"customer  {links.customer}")
            print(f"agent  {links.agent}  agent / {password}")
            print(f"expert  {links.expert}", flush=True)
            if demo.COLLEAGUE in passwords:  # whoever vouches for a customer does not review it
                print(f"colleague  {links.agent}  {demo.COLLEAGUE} / {passwords[demo.COLLEAGUE]}", flush=True)
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


def _read_modules() -> None:
    """What a server is made of: beside the loop, which starts processes meanwhile."""
    from server import app, demo_beside  # noqa: F401


@app.command()
def token(
    name: Annotated[str, typer.Argument(help="Which of the bank's systems it is for.")],
    config: ConfigFile = None,
    recordings: Annotated[bool, typer.Option("--recordings", help="It may also play, export and erase recordings.")] = False,
    faces: Annotated[bool, typer.Option("--faces", help="It may also check faces and keep templates of them.")] = False,
    verifications: Annotated[
        bool, typer.Option("--verifications", help="It may also have transactions verified, and redeem what was decided.")
    ] = False,
    audit: Annotated[bool, typer.Option("--audit", help="It may also read the audit trail, which is of everything.")] = False,
    customers: Annotated[
        bool, typer.Option("--customers", help="It may also take out and erase what is kept of a customer.")
    ] = False,
) -> None:
    """Make an API key for one of the bank's systems and print it, this once."""
    if not 1 <= len(name) <= 80:
        _fail("the name has 1 to 80 characters")
    rights = {"recordings": recordings, "faces": faces, "verifications": verifications, "audit": audit, "customers": customers}
    print(_run(_token(config, name, rights)))


async def _token(file: Path | None, name: str, rights: dict[str, bool]) -> str:
    from server.app import make_id
    from server.clock import SystemClock
    from server.services.keys import ApiKeys

    store = await _store(file, migrate=True)
    try:
        made = await ApiKeys(store, SystemClock(), make_id).create(name, "command-line", **rights)
        return made.secret
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


@app.command()
def version() -> None:
    """Print the version."""
    from server.version import VERSION

    print(VERSION)


app.command("loadtest")(cli_loadtest.loadtest)
app.command("verify-decision")(cli_decisions.command)
app.command("demo-bank")(cli_demo_bank.command)

_BENCH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@bench.command("join", context_settings=_BENCH)
def bench_join(context: typer.Context) -> None:
    """Token to first decoded frame, in real browsers. `--help` lists its options."""
    from server import bench_join as join

    raise typer.Exit(join.main(context.args))


@bench.command("relay", context_settings=_BENCH)
def bench_relay(context: typer.Context) -> None:
    """CPU of a forwarded packet, ours and another relay's. `--help` lists its options."""
    from server import benches

    raise typer.Exit(benches.relay(context.args))


@bench.command("recording", context_settings=_BENCH)
def bench_recording(context: typer.Context) -> None:
    """Many recordings at a time, and what the calls notice of it. `--help` lists its options."""
    from server import benches

    raise typer.Exit(benches.recording(context.args))


@bench.command("decisions", context_settings=_BENCH)
def bench_decisions(context: typer.Context) -> None:
    """From the last score to the signed decision on disk, and the risk in it. `--help` lists its options."""
    from server import bench_decisions as decisions

    raise typer.Exit(decisions.main(context.args))


@bench.command("cobrowse", context_settings=_BENCH)
def bench_cobrowse(context: typer.Context) -> None:
    """What co-browse takes, the sanitiser alone and a server with hundreds of pages. `--help` lists its options."""
    from server import bench_cobrowse as cobrowse

    raise typer.Exit(cobrowse.main(context.args))


@bench.command("verify", context_settings=_BENCH)
def bench_verify(context: typer.Context) -> None:
    """Comparing two pictures, ours and others' in one run. `--help` lists its options."""
    from server import benches

    raise typer.Exit(benches.verify(context.args))
