"""``tongping templates``: the master keys of templates of faces. See docs/face-api.md."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from server.errors import ConfigError

if TYPE_CHECKING:
    from server.config import Config
    from server.face_keys import Rewrapped

NOT_ALL = 1
app = typer.Typer(no_args_is_help=True, help="Templates of faces on this machine; see docs/face-api.md.")
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file; see docs/configuration.md.")]


@app.callback()
def _templates() -> None:
    """A group of commands, also with one alone."""


@app.command("rewrap")
def rewrap(
    config: ConfigFile = None,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Make a new master key first and put it in front in `secrets/face.key`.")
    ] = False,
    forget_old: Annotated[
        bool, typer.Option("--forget-old", help="Take the old keys out of that file, when nothing needs them any more.")
    ] = False,
) -> None:
    """Protect the key of every template, of what is sealed of transactions and of their evidence, with the first master key. All servers of the group must be stopped.

    What breaks off is gone on with by doing it again without --new-key; until then both keys open everything. Exit status 1 when something is protected by a
    key that is not here: nothing of it is changed, and no key is forgotten.
    """
    from server import cli_evidence, data_lock, face_keys
    from server import config as configuration
    from server.faces import template_keys

    loaded = configuration.load(config)
    if (new_key or forget_old) and loaded.verification.key:
        raise ConfigError(
            "the master keys come from `verification.key`: put the new one in front there, and take the old one away afterwards"
        )
    data_lock.make_folder(loaded.data_dir)
    with data_lock.held(loaded.data_dir):
        if new_key:
            face_keys.put_new_key_first(loaded)
        template_keys(loaded)
        done = asyncio.run(_rewrap(loaded))
        kept = asyncio.run(cli_evidence.rewrapped(loaded))
        print(f"{done.changed} of {done.known} are under the master key {done.key} now, the others were before")
        for id in done.unreadable:
            print(f"{id}: its master key is not here, or it was changed: left as it was")
        if kept.known:
            print(f"of {kept.known} pieces of evidence {kept.changed} are now, the others were before")
        for name in kept.unreadable:
            print(f"{name}: its master key is not here, or it was changed: left as it was")
        if done.unreadable or kept.unreadable:
            raise typer.Exit(NOT_ALL)
        if forget_old:
            print(f"{face_keys.forget_old_keys(loaded)} old keys are forgotten; backups of before need them")


async def _rewrap(config: "Config") -> "Rewrapped":
    from server import face_keys
    from server.app import database_url
    from server.audit.events import AuditAction, AuditEvent
    from server.clock import SystemClock
    from server.faces import template_keys
    from server.store.sql import open_store

    store = await open_store(database_url(config), migrate=True)
    try:
        done = await face_keys.rewrap(store, template_keys(config))
        async with store.begin() as tx:
            details = {"known": str(done.known), "changed": str(done.changed), "unreadable": str(len(done.unreadable))}
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.TEMPLATE_KEYS_REWRAPPED,
                    at=SystemClock().now(),
                    actor="command-line",
                    subject=done.key,
                    details=details,
                )
            )
        await store.scrub()  # no key that an old one opens is left in the database's files
    finally:
        await store.close()
    return done
