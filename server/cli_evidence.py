"""``tongping evidence``: what is kept of verifications: held against the audit trail, listed, put under another master key. See docs/evidence.md."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from server import cli_case
from server.audit.events import AuditAction
from server.errors import ConfigError, Invalid

if TYPE_CHECKING:
    from server.config import Config
    from server.evidence import Rewrapped
    from verification.evidence.vault import FileVault

NOT_ALL = 1
app = typer.Typer(no_args_is_help=True, help="Evidence of verifications on this machine; see docs/evidence.md.")
app.command("report")(cli_case.report)
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file; see docs/configuration.md.")]


@dataclass
class Named:
    """What an audit trail names: digests by attempt, lower case, and those of portraits by case. ``erased``: cases whose evidence was."""

    attempts: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By the attempt: (its case, the digest)."""
    portraits: dict[str, str] = field(default_factory=dict)
    """By the case: the digest of the last one."""
    erased: set[str] = field(default_factory=set)

    def read(self, lines: Iterable[bytes]) -> "Named":
        """Raises ConfigError: not an export of the audit trail."""
        from server.audit.verify import read_line

        for line in lines:
            try:
                event = read_line(line.removesuffix(b"\n")).event
            except Invalid:
                raise ConfigError("not an export of the audit trail: `tongping audit export` makes one") from None
            case, details = event.subject.lower(), event.details
            if event.action is AuditAction.VERIFICATION_ATTEMPT_ENDED and details.get("evidence"):
                self.attempts[details["attempt"].lower()] = (case, details["evidence"])
            elif event.action is AuditAction.VERIFICATION_REFERENCE_SET and details.get("evidence"):
                self.portraits[case] = details["evidence"]
            elif event.action is AuditAction.EVIDENCE_ERASED and "evidence" not in details:  # with a name: that piece alone
                self.erased.add(case)
        return self


@app.command("verify")
def verify(
    audit: Annotated[
        Path | None,
        typer.Argument(help="An export of the audit trail (`tongping audit export`); the configured database otherwise."),
    ] = None,
    config: ConfigFile = None,
    digests: Annotated[
        bool, typer.Option("--digests", help="Only the digests that the trail names: needs no key and reads no picture.")
    ] = False,
) -> None:
    """Hold all evidence against the audit trail, offline. Exit status 1 when something is missing, changed, or there although it was erased.

    Whether the trail itself is right says `tongping audit verify`: do that first.
    """
    from server import config as configuration
    from server.evidence import evidence_folder, open_vault

    loaded = configuration.load(config)
    named = Named().read(_trail(loaded, audit))
    if not evidence_folder(loaded).is_dir():
        raise ConfigError(f"{evidence_folder(loaded)} is not there")
    report = _held(named, open_vault(loaded), digests=digests)
    for line in report.wrong:
        print(line)
    for name in report.unnamed:
        print(f"{name}: the trail does not name it; the server erases what belongs to nothing within hours")
    print(f"{report.right} are what the trail names, {len(report.wrong)} are not; {report.erased} cases were erased")
    if report.wrong:
        raise typer.Exit(NOT_ALL)


@dataclass
class Held:
    right: int = 0
    erased: int = 0
    wrong: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)


def _held(named: Named, vault: "FileVault", *, digests: bool) -> Held:
    from verification.evidence.format import EvidenceError

    held = Held(erased=len(named.erased))
    there = vault.cases()
    seen: set[str] = set()
    by_case: dict[str, list[str]] = {}
    for name in there:
        if "." in name:
            by_case.setdefault(name.partition(".")[0], []).append(name)

    def check(name: str, digest: str) -> None:
        seen.add(name)
        try:
            if vault.digest(name) != digest:
                raise EvidenceError("not what the trail names", code="evidence_changed")
            if not digests:
                vault.verify(name)
        except EvidenceError as error:
            held.wrong.append(f"{name}: {error.code}: {error.detail}")
        else:
            held.right += 1

    for attempt, (case, digest) in named.attempts.items():
        if case not in named.erased:
            check(attempt, digest)
        elif attempt in there:
            seen.add(attempt)
            held.wrong.append(f"{attempt}: it is still there, and the trail says that it was erased")
    for case, digest in named.portraits.items():
        mine = by_case.get(case, [])
        if case in named.erased:
            held.wrong += [f"{name}: it is still there, and the trail says that it was erased" for name in mine]
            seen.update(mine)
            continue
        matching = [name for name in mine if _digest(vault, name) == digest]
        check(matching[0] if matching else (mine[0] if mine else f"{case}.portrait"), digest)
    held.unnamed = [name for name in there if name not in seen]
    return held


def _digest(vault: "FileVault", name: str) -> str:
    from verification.evidence.format import EvidenceError

    try:
        return vault.digest(name)
    except EvidenceError:
        return ""


def _trail(config: "Config", audit: Path | None) -> Iterator[bytes]:
    from server.audit import verify as checks

    path = audit or config.data_dir / "tongping.db"
    if not path.is_file():
        raise ConfigError(f"{path} is not there: name an export of the audit trail")
    if audit is None:
        yield from checks.export_database(path)
        return
    with path.open("rb") as file:
        yield from (line for line in file if line.strip())


@app.command("list")
def list_(config: ConfigFile = None) -> None:
    """What is there: name, type, when it was sealed, until when it is kept at most, pictures, bytes."""
    from server import config as configuration
    from server.evidence import open_vault
    from verification.evidence.format import EvidenceError

    vault = open_vault(configuration.load(config))
    for name in vault.cases():
        try:
            found = vault.manifest(name)
        except EvidenceError as error:
            print(f"{name}  {error.code}")
            continue
        size = sum(blob.size for blob in found.blobs)
        print(f"{name}  {found.type}  {_day(found.created_s)}  {_day(found.keep_until_s)}  {len(found.blobs)}  {size}")


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%MZ")


@app.command("rewrap")
def rewrap(config: ConfigFile = None) -> None:
    """Put the key of everything under the first master key of templates. All servers of the group must be stopped.

    `tongping templates rewrap` does this too. Exit status 1 when something is under a key that is not here: it is left as it was.
    """
    from server import config as configuration
    from server import data_lock

    loaded = configuration.load(config)
    data_lock.make_folder(loaded.data_dir)
    with data_lock.held(loaded.data_dir):
        done = asyncio.run(rewrapped(loaded))
    print(f"{done.changed} of {done.known} are under the first master key now, the others were before")
    for name in done.unreadable:
        print(f"{name}: its master key is not here, or it was changed: left as it was")
    if done.unreadable:
        raise typer.Exit(NOT_ALL)


async def rewrapped(config: "Config") -> "Rewrapped":
    """And the audit knows."""
    from server.app import database_url
    from server.audit.events import AuditAction, AuditEvent
    from server.clock import SystemClock
    from server.evidence import open_vault, rewrap_all
    from server.store.sql import open_store

    store = await open_store(database_url(config), migrate=True)
    try:
        done = await asyncio.to_thread(rewrap_all, open_vault(config))
        details = {"known": str(done.known), "changed": str(done.changed), "unreadable": str(len(done.unreadable))}
        event = AuditEvent(
            action=AuditAction.EVIDENCE_KEYS_REWRAPPED, at=SystemClock().now(), actor="command-line", details=details
        )
        if done.known:
            async with store.begin() as tx:
                await tx.append_audit(event)
    finally:
        await store.close()
    return done
