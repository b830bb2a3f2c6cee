"""``tongping keys``: the key that tokens are signed with."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from server.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="The key that tokens are signed with.")
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file; see docs/configuration.md.")]


@app.command("rotate")
def rotate(
    config: ConfigFile = None,
    end_tokens: Annotated[
        bool, typer.Option("--end-tokens", help="Forget the old keys too, when one may be in wrong hands: every token ends.")
    ] = False,
) -> None:
    """Sign with a new key from the next start on. The server must be stopped: a running one keeps the key it started with.

    Tokens in flight stay good until they end by themselves (they live minutes), unless --end-tokens is given: then everybody
    who is in a session or signed in has to come in again. Links, codes and API keys are not touched.
    """
    from server import config as configuration
    from server import data_lock

    loaded = configuration.load(config)
    if loaded.secret:
        raise ConfigError("the token key comes from `secret`: change that one, and start every server of the group anew")
    data_lock.make_folder(loaded.data_dir)
    with data_lock.held(loaded.data_dir):
        kid, kept = asyncio.run(_rotate(loaded, end_tokens))
    print(f"from the next start on tokens are signed with the key {kid}")
    if end_tokens:
        print("no token made before is read any more: everybody signs in or comes in again")
    else:
        print(f"tokens made before are read until they end; older keys kept for that: {kept}")


async def _rotate(config: object, end_tokens: bool) -> tuple[str, int]:
    """The new key's name and how many older ones are kept.

    The key lies ready, then it is audited, then it takes effect: a crash may leave an entry too many, never a key without one. What can
    fail is done before the entry: the database is opened, the key is written.
    """
    from server.app import database_url
    from server.audit.events import AuditAction, AuditEvent
    from server.auth import keys
    from server.clock import SystemClock
    from server.config import Config
    from server.store.sql import open_store

    assert isinstance(config, Config)
    store = await open_store(database_url(config), migrate=True)
    try:
        rotation = await asyncio.to_thread(keys.Rotation, config.data_dir, forget=end_tokens)
        try:
            async with store.begin() as tx:
                await tx.append_audit(
                    AuditEvent(
                        action=AuditAction.SIGNING_KEY_ROTATED,
                        at=SystemClock().now(),
                        actor="command-line",
                        subject=rotation.kid,
                        details={"older_kept": str(rotation.older_kept)},
                    )
                )
        except BaseException:
            rotation.give_up()
            raise
        await asyncio.to_thread(rotation.take_effect)
    finally:
        await store.close()
    return rotation.kid, rotation.older_kept
