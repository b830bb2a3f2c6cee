"""``tongping audit``: check the audit trail offline, export it, and what is needed to check signed checkpoints."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from server.errors import ConfigError, Invalid, StoreUnavailable

if TYPE_CHECKING:
    from server.audit.chain import Checkpoint
    from server.audit.events import AuditEntry

app = typer.Typer(no_args_is_help=True, help="The audit trail.")
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file; see docs/configuration.md.")]
EXIT_NOT_INTACT = 1
AT_ONCE = 500


@app.command("verify")
def verify(
    source: Annotated[Path | None, typer.Argument(help="A SQLite database or an export; the configured one otherwise.")] = None,
    checkpoint: Annotated[
        list[str] | None, typer.Option(help="A head printed before (NUMBER:HASH), kept elsewhere; may be repeated.")
    ] = None,
    signed: Annotated[
        list[Path] | None, typer.Option(help="A signed checkpoint, or a folder of them, kept elsewhere; may be repeated.")
    ] = None,
    keys: Annotated[Path | None, typer.Option(help="The keys that may have signed them: a JWKS, kept elsewhere.")] = None,
    start: Annotated[
        str, typer.Option(help="Of a part of an export: the entry before its first one (NUMBER:HASH), which is trusted.")
    ] = "",
    issuer: Annotated[str, typer.Option(help="The server that must have signed them, as `iss` says.")] = "",
    config: ConfigFile = None,
) -> None:
    """Check every link of the chain, offline. Exit status 1 when it is not intact.

    Without a checkpoint that was kept elsewhere a chain that was cut short or rewritten whole cannot be told from an honest one.
    """
    from server import config as configuration
    from server.audit import verify as checks

    if source is None:
        loaded = configuration.load(config)
        if loaded.database_url:
            raise ConfigError("with a database_url name an export: tongping audit export > trail.jsonl")
        source = loaded.data_dir / "tongping.db"
    path = source
    if not path.is_file():
        raise ConfigError(f"{path} is not there")
    points = [checks.read_checkpoint(text) for text in checkpoint or []]
    try:
        with path.open("rb") as file:
            is_database = file.read(16) == b"SQLite format 3\x00"
        points += _signed(signed or [], keys, issuer)
    except OSError as error:
        raise StoreUnavailable(f"{error.filename} cannot be read: {error.strerror}") from None
    except Invalid as error:
        print(f"not intact: {error.detail}")
        raise typer.Exit(EXIT_NOT_INTACT) from None
    if start and is_database:
        raise ConfigError("--start is of a part of an export: a database is checked from its beginning")
    if is_database:
        report = checks.verify_database(path, checkpoints=points)
    else:
        report = checks.verify_export(path, start=checks.read_checkpoint(start) if start else None, checkpoints=points)
    if not report.ok:
        print(f"not intact: entry {report.broken}: {report.why}")
        raise typer.Exit(EXIT_NOT_INTACT)
    print(f"intact: {report.entries} entries, head {checks.checkpoint_text(report.head)}")
    if points:
        newest = max(point.number for point in points)
        print(
            f"held against {len(points)} checkpoints, the newest of entry {newest}; nothing stands for the {report.head.number - newest} after it"
        )
    else:
        print("held against no checkpoint: a chain cut short or rewritten whole looks the same")


def _signed(paths: list[Path], keys: Path | None, issuer: str) -> "list[Checkpoint]":
    """Raises Invalid for one that is not what it says, ConfigError, OSError."""
    from server.audit.keeper import read_file, read_folder
    from server.audit.signed import CheckpointReader
    from server.auth.jwks import read_key_set

    if issuer and not paths:
        raise ConfigError("--issuer is of signed checkpoints: name them by --signed")
    if bool(paths) != bool(keys):
        raise ConfigError("--signed and --keys go together: `tongping audit keys` prints the keys, to be kept elsewhere")
    if keys is None:
        return []
    reader = CheckpointReader(read_key_set(keys.read_bytes()))
    found = [one for path in paths for one in (read_folder(path, reader) if path.is_dir() else [read_file(path, reader)])]
    if not found:
        raise ConfigError("there is no signed checkpoint there")
    for one in found:
        if issuer and one.issuer != issuer:
            raise Invalid(f"the checkpoint of entry {one.point.number} is by {one.issuer!r}")
    return [one.point for one in found]


@app.command("export")
def export(
    config: ConfigFile = None,
    after: Annotated[int, typer.Option(help="Only entries with a greater number.", min=0)] = 0,
) -> None:
    """Write the audit trail to standard output as JSON lines, out of whichever database the server has."""
    from server import config as configuration
    from server.audit import verify as checks

    loaded = configuration.load(config)
    if loaded.database_url:
        lines = _stored(loaded.database_url, after)
    else:
        lines = checks.export_database(loaded.data_dir / "tongping.db", after=after)
    for line in lines:
        sys.stdout.buffer.write(line)


def _stored(url: str, after: int) -> Iterator[bytes]:
    """Page by page: entries are only ever added."""
    from server.audit.verify import export_line
    from server.store.sql import open_store

    with asyncio.Runner() as runner:
        store = runner.run(open_store(url, migrate=False))

        async def page(after: int) -> "Sequence[AuditEntry]":
            async with store.read() as tx:
                return await tx.list_audit(after=after, limit=AT_ONCE)

        try:
            while entries := runner.run(page(after)):
                after = entries[-1].number
                yield from (export_line(entry) + b"\n" for entry in entries)
        finally:
            runner.run(store.close())


@app.command("keys")
def print_keys(config: ConfigFile = None) -> None:
    """Print the public keys that sign checkpoints, as a JWKS. Keep it where the checkpoints are kept."""
    from server import config as configuration
    from server.auth import keys
    from server.auth.jwks import key_set

    loaded = configuration.load(config)
    own = keys.from_secret(loaded.secret, loaded.secret_previous) if loaded.secret else keys.load_or_create(loaded.data_dir)
    print(msgspec.json.format(msgspec.json.encode(key_set(own.audit.verify_keys))).decode())
