"""Signed checkpoints: made of a trail that holds and of no other, kept on disk, checked by whoever has the public keys."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from server import cli
from server.audit import chain, verify
from server.audit.chain import Checkpoint
from server.audit.keeper import AuditBroken, AuditKeeper, read_folder
from server.audit.signed import CheckpointReader, CheckpointSigner
from server.auth import jwks
from server.auth.keys import key_id
from server.errors import ConfigError, DependencyError, Invalid
from server.store.ports import Store
from server.store.sql import open_store
from tests.support.records import Records
from tests.support.signalling import ManualClock

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
KID = key_id(KEY.public_key())
SIGNER = CheckpointSigner(KEY, KID, issuer="https://bank.example")
READER = CheckpointReader({KID: KEY.public_key()})
POINT = Checkpoint(number=7, hash=bytes(range(32)))
AT = datetime(2026, 5, 1, 12, 0, 3, 500_000, tzinfo=UTC)


# ---- the form


def test_what_is_signed_is_read() -> None:
    made = SIGNER.sign(POINT, AT)
    assert READER.read(made.text) == made
    assert (made.point, made.at, made.kid) == (POINT, AT.replace(microsecond=0), KID)
    with pytest.raises(Invalid):
        SIGNER.sign(POINT, AT.replace(tzinfo=None))


@pytest.mark.campaign(18)
def test_a_changed_byte_makes_it_no_checkpoint() -> None:
    text = SIGNER.sign(POINT, AT).text
    for place in range(len(text)):
        for bit in (1, 2, 4, 8, 16, 32, 64):
            changed = text[:place] + chr(ord(text[place]) ^ bit) + text[place + 1 :]
            with pytest.raises(Invalid):
                READER.read(changed)


@pytest.mark.campaign(18)
def test_one_that_is_forged_is_refused() -> None:
    other = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
    public = KEY.public_key().public_bytes_raw()
    good = {"at": 1, "hash": "ab" * 32, "iss": "x", "number": 3}
    typ = {"kid": KID, "typ": "tongping-checkpoint+jwt"}
    assert READER.read(jwt.encode(good, KEY, algorithm="EdDSA", headers=typ)).point.number == 3
    forged = [
        CheckpointSigner(other, KID, issuer="x").sign(POINT, AT).text,
        CheckpointSigner(other, "another", issuer="x").sign(POINT, AT).text,
        jwt.encode(good, "", algorithm="none", headers=typ),
        jwt.encode(good, public * 2, algorithm="HS256", headers=typ),
        jwt.encode(good, KEY, algorithm="EdDSA", headers={**typ, "typ": "JWT"}),
        jwt.encode(good, KEY, algorithm="EdDSA", headers={**typ, "jku": "https://evil.example"}),
        jwt.encode({**good, "more": 1}, KEY, algorithm="EdDSA", headers=typ),
        jwt.encode({**good, "number": -1}, KEY, algorithm="EdDSA", headers=typ),
        jwt.encode({**good, "number": 1 << 63}, KEY, algorithm="EdDSA", headers=typ),
        jwt.encode({**good, "number": "3"}, KEY, algorithm="EdDSA", headers=typ),
        jwt.encode({**good, "hash": "AB" * 32}, KEY, algorithm="EdDSA", headers=typ),
        jwt.encode({**good, "at": 1 << 62}, KEY, algorithm="EdDSA", headers=typ),
        jwt.encode({name: good[name] for name in ("at", "hash", "iss")}, KEY, algorithm="EdDSA", headers=typ),
        "",
        "a.b.c",
        SIGNER.sign(POINT, AT).text + "=",
        "x" * 2000,
    ]
    for text in forged:
        with pytest.raises(Invalid):
            READER.read(text)


def test_a_key_set_is_written_and_read() -> None:
    keys = {KID: KEY.public_key()}
    data = msgspec.json.encode(jwks.key_set(keys))
    assert {kid: key.public_bytes_raw() for kid, key in jwks.read_key_set(data).items()} == {
        KID: KEY.public_key().public_bytes_raw()
    }
    one = json.loads(data)["keys"][0]
    foreign = {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "rsa"}
    assert list(jwks.read_key_set(json.dumps({"keys": [foreign, one], "more": 1}).encode())) == [KID]
    refused: list[object] = [
        [], {}, {"keys": []}, {"keys": [foreign]}, {"keys": [one, one]}, {"keys": [{**one, "x": one["x"] + "="}]},
        {"keys": [{**one, "x": "AAAA"}]}, {"keys": [{**one, "kid": ""}]}, {"keys": [{**one, "d": "AAAA"}]}, {"keys": "x"},
    ]  # fmt: skip
    for value in refused:
        with pytest.raises(Invalid):
            jwks.read_key_set(json.dumps(value).encode())
    for raw in (b"", b"\xff", b"{" * 1000, b" " * (jwks.MAX_BYTES + 1)):
        with pytest.raises(Invalid):
            jwks.read_key_set(raw)


# ---- the keeper


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(f"sqlite:///{tmp_path}/tongping.db")
    yield opened
    await opened.close()


def keeper(store: Store, tmp_path: Path) -> AuditKeeper:
    return AuditKeeper(store, ManualClock(), SIGNER, READER, tmp_path / "elsewhere")


async def write(store: Store, count: int) -> None:
    async with store.begin() as tx:
        for number in range(count):
            await tx.append_audit(Records().event(actor=f"ST_{number}"))


def change(tmp_path: Path, statement: str) -> None:
    connection = sqlite3.connect(tmp_path / "tongping.db")
    for trigger in ("audit_no_update", "audit_no_delete"):
        connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
    connection.execute(statement)
    connection.commit()
    connection.close()


async def test_checkpoints_are_made_of_what_is_new_and_go_on_after_a_restart(store: Store, tmp_path: Path) -> None:
    first = keeper(store, tmp_path)
    await first.prepare()
    empty = await first.checkpoint()
    assert (empty.point.number, empty.point.hash) == (0, chain.GENESIS)
    await write(store, 450)  # more than a page
    made = await first.checkpoint()
    assert made.point.number == 450
    assert await first.checkpoint() == made
    again = keeper(store, tmp_path)
    await again.prepare()
    assert again.number == 450
    await write(store, 3)
    assert (await again.checkpoint()).point.number == 453
    kept = read_folder(tmp_path / "elsewhere", READER)
    assert [one.point.number for one in kept] == [0, 450, 453]
    assert verify.verify_database(tmp_path / "tongping.db", checkpoints=[one.point for one in kept]).ok
    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir())[-1] == "audit-000000000453.jws"


@pytest.mark.campaign(18)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET entry = replace(entry, 'ST_25', 'ST_99') WHERE number = 26",  # after the checkpoint
        "UPDATE audit SET entry = '{}' WHERE number = 26",
        "UPDATE audit SET entry = replace(entry, 'ST_19', 'ST_99') WHERE number = 20",  # the very one it saw
        "DELETE FROM audit WHERE number = 25",
        "DELETE FROM audit WHERE number >= 20",
        "DELETE FROM audit",
        "UPDATE audit SET number = number + 1000 WHERE number > 25",
    ],
)
async def test_a_trail_that_does_not_hold_is_never_signed(
    store: Store, tmp_path: Path, statement: str, caplog: pytest.LogCaptureFixture
) -> None:
    one = keeper(store, tmp_path)
    await one.prepare()
    await write(store, 20)
    await one.checkpoint()
    await write(store, 30)
    change(tmp_path, statement.replace("ST_25", "ST_5"))
    for _ in range(2):
        with pytest.raises(AuditBroken):
            await one.checkpoint()
        await one.attempt()
        assert not one.intact
    assert one.number == 20
    assert [record.message for record in caplog.records if record.levelname == "CRITICAL"] == ["the audit trail is not intact"]


async def test_a_folder_that_cannot_be_written_is_said_once(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = keeper(store, tmp_path)
    await one.prepare()
    await write(store, 2)
    (tmp_path / "elsewhere").rmdir()
    (tmp_path / "elsewhere").write_text("a file")
    for _ in range(3):
        await one.attempt()
    with pytest.raises(DependencyError):
        await one.checkpoint()
    assert one.intact
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["no audit checkpoint"]
    (tmp_path / "elsewhere").unlink()
    (tmp_path / "elsewhere").mkdir()
    assert (await one.checkpoint()).point.number == 2
    await one.finish(1.0)


async def test_a_server_does_not_start_over_checkpoints_that_are_not_its_own(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "notes.txt").write_text("of somebody else")
    good = SIGNER.sign(POINT, AT).text
    for name, text in {
        "audit-000000000009.jws": good,  # named after another entry
        "audit-000000000007.jws": CheckpointSigner(Ed25519PrivateKey.generate(), KID, issuer="x").sign(POINT, AT).text,
        "audit-000000000008.jws": "\x00\xff",
    }.items():
        (folder / name).write_text(text)
        with pytest.raises(ConfigError, match="checkpoint_dir"):
            await keeper(store, tmp_path).prepare()
        (folder / name).unlink()
    (folder / "audit-000000000007.jws").write_text(good + "\n")
    of_another_trail = keeper(store, tmp_path)
    await of_another_trail.prepare()
    with pytest.raises(AuditBroken):
        await of_another_trail.checkpoint()


async def test_a_checkpoint_that_was_forged_or_is_of_another_trail_stops_it_also_when_it_is_an_older_one(
    store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    one = keeper(store, tmp_path)
    await one.prepare()
    for _ in range(3):
        await write(store, 5)
        await one.checkpoint()
    oldest = folder / "audit-000000000005.jws"
    kept = oldest.read_text()
    oldest.write_text("garbage")
    with pytest.raises(ConfigError, match="checkpoint_dir"):
        await keeper(store, tmp_path).prepare()
    oldest.write_text(SIGNER.sign(Checkpoint(number=5, hash=bytes(32)), AT).text)
    other = keeper(store, tmp_path)
    await other.prepare()
    for _ in range(2):
        with pytest.raises(AuditBroken):
            await other.checkpoint()
    oldest.write_text(kept)
    again = keeper(store, tmp_path)
    await again.prepare()
    assert (await again.checkpoint()).point.number == 15


async def test_two_servers_share_a_folder_and_two_trails_do_not(store: Store, tmp_path: Path) -> None:
    one, other = keeper(store, tmp_path), keeper(store, tmp_path)
    await one.prepare()
    await other.prepare()
    await write(store, 5)
    made = await asyncio.gather(one.checkpoint(), other.checkpoint())
    assert made[0] == made[1]
    assert [seen.point.number for seen in read_folder(tmp_path / "elsewhere", READER)] == [5]
    another = await open_store(f"sqlite:///{tmp_path}/another.db")
    stranger = keeper(another, tmp_path)
    await stranger.prepare()
    with pytest.raises(AuditBroken):
        await stranger.checkpoint()
    await another.close()
    assert read_folder(tmp_path / "elsewhere", READER) == [made[0]]


async def test_a_trail_is_followed_to_its_end_also_where_whoever_asked_has_gone(store: Store, tmp_path: Path) -> None:
    one = keeper(store, tmp_path)
    await one.prepare()
    await write(store, 450)
    asked = asyncio.create_task(one.checkpoint())
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    making = one._making
    assert making is not None
    assert (await making).point.number == 450
    await one.finish(5.0)


# ---- the command


async def test_the_command_checks_against_signed_checkpoints(store: Store, tmp_path: Path) -> None:
    one = keeper(store, tmp_path)
    await one.prepare()
    await write(store, 5)
    await one.checkpoint()
    await write(store, 5)
    await one.checkpoint()
    keys = tmp_path / "keys.json"
    keys.write_bytes(msgspec.json.encode(jwks.key_set({KID: KEY.public_key()})))
    base = ["audit", "verify", str(tmp_path / "tongping.db")]
    told = ["--signed", str(tmp_path / "elsewhere"), "--keys", str(keys)]

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(cli.app, [*base, *arguments])
        return done.exit_code, done.output + (str(done.exception.args[0]) if isinstance(done.exception, ConfigError) else "")

    assert await asyncio.to_thread(run) == (
        0,
        first_line(10, tmp_path) + "held against no checkpoint: a chain cut short or rewritten whole looks the same\n",
    )
    status, text = await asyncio.to_thread(run, *told)
    assert status == 0
    assert "the newest of entry 10; nothing stands for the 0 after it" in text
    for arguments in (told[:2], told[2:]):
        assert "go together" in (await asyncio.to_thread(run, *arguments))[1]
    assert (await asyncio.to_thread(run, *told, "--issuer", "https://bank.example"))[0] == 0
    status, text = await asyncio.to_thread(run, *told, "--issuer", "https://staging.example")
    assert (status, "is by 'https://bank.example'" in text) == (1, True)
    assert "name them by --signed" in (await asyncio.to_thread(run, "--issuer", "https://bank.example"))[1]
    change(tmp_path, "DELETE FROM audit WHERE number > 8")
    assert (await asyncio.to_thread(run))[0] == 0  # nothing to hold it against
    assert (await asyncio.to_thread(run, *told))[0] == 1
    newest = tmp_path / "elsewhere" / "audit-000000000010.jws"
    newest.write_text(newest.read_text().replace(".", ".A", 1))
    status, text = await asyncio.to_thread(run, *told)
    assert (status, text.split(":")[0]) == (1, "not intact")


def first_line(count: int, tmp_path: Path) -> str:
    head = verify.verify_database(tmp_path / "tongping.db").head
    return f"intact: {count} entries, head {verify.checkpoint_text(head)}\n"
