"""``tongping keys``: the keys that tokens, checkpoints, decisions and webhooks are signed with."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from server.errors import ConfigError

app = typer.Typer(
    no_args_is_help=True, help="The keys that tokens, checkpoints of the audit trail, decisions and webhooks are signed with."
)
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file; see docs/configuration.md.")]


@app.command("rotate")
def rotate(
    config: ConfigFile = None,
    end_tokens: Annotated[
        bool, typer.Option("--end-tokens", help="Forget the old keys too, when one may be in wrong hands: every token ends.")
    ] = False,
    audit: Annotated[
        bool, typer.Option("--audit", help="The key of the audit trail's checkpoints instead; the old one stays known.")
    ] = False,
    decisions: Annotated[
        bool,
        typer.Option("--decisions", help="The key of decisions about transactions instead; the old one stays in the key set."),
    ] = False,
    webhooks: Annotated[
        bool, typer.Option("--webhooks", help="The key of webhooks instead; the old one stays in the key set.")
    ] = False,
    withdraw: Annotated[
        bool,
        typer.Option(
            "--withdraw",
            help="With --decisions or --webhooks: take the old keys out of the set, when one may be in wrong hands: what they signed holds no more.",
        ),
    ] = False,
) -> None:
    """Sign with a new key from the next start on. The server must be stopped: a running one keeps the key it started with.

    Tokens in flight stay good until they end by themselves (they live minutes), unless --end-tokens is given: then everybody
    who is in a session or signed in has to come in again. Links, codes and API keys are not touched. Decisions and webhooks that
    were signed before stay good, unless --withdraw is given: then they are neither verified nor redeemed.
    """
    from server import config as configuration
    from server import data_lock

    loaded = configuration.load(config)
    if loaded.secret:
        raise ConfigError(
            "all keys come from `secret`: put the one that is there first into `secret_previous`, set another `secret`, and start every server of the group anew"
        )
    if audit + decisions + webhooks + end_tokens > 1:
        raise ConfigError("--audit, --decisions, --webhooks and --end-tokens are of different keys: one at a time")
    if withdraw and not (decisions or webhooks):
        raise ConfigError(
            "--withdraw is for --decisions and --webhooks; tokens have --end-tokens, and checkpoints need the keys they were signed with"
        )
    key = "audit" if audit else "decisions" if decisions else "webhooks" if webhooks else "tokens"
    data_lock.make_folder(loaded.data_dir)
    with data_lock.held(loaded.data_dir):
        kid, kept = asyncio.run(_rotate(loaded, end_tokens or withdraw, key=key))
    if audit:
        print(
            f"from the next start on checkpoints are signed with the key {kid}: `tongping audit keys` prints all, to be kept elsewhere"
        )
        return
    if withdraw:
        print(
            f"from the next start on {key} are signed with the key {kid}, and it is the only one in the set: nothing signed before holds any more"
        )
        if decisions:
            print("whoever keeps a copy of the key set must read it anew; results that were not redeemed are asked for again")
        return
    if decisions or webhooks:
        print(f"from the next start on {key} are signed with the key {kid}; older keys that stay in the set: {kept}")
        return
    print(f"from the next start on tokens are signed with the key {kid}")
    if end_tokens:
        print("no token made before is read any more: everybody signs in or comes in again")
    else:
        print(f"tokens made before are read until they end; older keys kept for that: {kept}")


async def _rotate(config: object, forget: bool, *, key: str = "tokens") -> tuple[str, int]:
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
        files = {
            "audit": keys.AUDIT_KEYS,
            "decisions": keys.DECISION_KEYS,
            "webhooks": keys.WEBHOOK_KEYS,
            "tokens": keys.TOKEN_KEYS,
        }[key]
        rotation = await asyncio.to_thread(keys.Rotation, config.data_dir, forget=forget, files=files)
        try:
            async with store.begin() as tx:
                await tx.append_audit(
                    AuditEvent(
                        action=AuditAction.SIGNING_KEY_ROTATED,
                        at=SystemClock().now(),
                        actor="command-line",
                        subject=rotation.kid,
                        details={"older_kept": str(rotation.older_kept), "key": key},
                    )
                )
        except BaseException:
            rotation.give_up()
            raise
        await asyncio.to_thread(rotation.take_effect)
    finally:
        await store.close()
    return rotation.kid, rotation.older_kept
