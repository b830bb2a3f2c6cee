"""The server's secrets on disk: made once, private, rotated without locking anybody out."""

import asyncio
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from server import cli_keys
from server.app import database_url
from server.audit.events import AuditAction, AuditEvent
from server.auth import keys
from server.auth.keys import Secrets
from server.config import Config
from server.domain.ids import ParticipantId, SessionId, make_id
from server.domain.model import Role
from server.errors import ConfigError, Unauthenticated
from server.store.sql import open_store
from server.store.sql_transaction import SqlTransaction

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MADE = ["audit-signing.pem", "decision-signing.pem", "invitation-codes.key", "token-signing.pem", "webhook-signing.pem"]


def token(secrets: Secrets) -> str:
    made, _ = secrets.signer().session_token(
        session=SessionId(make_id("SE", bytes(16))),
        participant=ParticipantId(make_id("PA", bytes(16))),
        role=Role.CUSTOMER,
        grants=frozenset(),
        now=NOW,
    )
    return made


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "secrets").iterdir())


def test_secrets_are_made_once_and_private(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        first = keys.load_or_create(tmp_path / "data")
    finally:
        os.umask(umask)
    again = keys.load_or_create(tmp_path / "data")
    assert (first.kid, first.code_key) == (again.kid, again.code_key)
    assert again.verifier().verify(token(first), now=NOW)
    assert files(tmp_path / "data") == MADE
    for path in (tmp_path / "data" / "secrets").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data" / "secrets").stat().st_mode) == 0o700
    assert first.code_key.hex() not in repr(first)


def test_many_at_once_get_the_same_secrets(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: keys.load_or_create(tmp_path), range(32)))
    assert len({(secrets.kid, secrets.code_key) for secrets in made}) == 1
    assert files(tmp_path) == MADE


def test_rotation_keeps_old_tokens_readable_for_a_while(tmp_path: Path) -> None:
    old = keys.load_or_create(tmp_path)
    new = keys.rotate(tmp_path)
    assert old.kid != new.kid
    assert old.code_key == new.code_key
    assert new.verifier().verify(token(old), now=NOW)
    assert new.verifier().verify(token(new), now=NOW)
    with pytest.raises(Unauthenticated):
        old.verifier().verify(token(new), now=NOW)
    for _ in range(10):
        new = keys.rotate(tmp_path)
    assert len(new.verify_keys) == 8
    with pytest.raises(Unauthenticated):
        new.verifier().verify(token(old), now=NOW)
    assert keys.load_or_create(tmp_path).kid == new.kid


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o602, 0o644, 0o666, 0o601])
@pytest.mark.parametrize("name", ["token-signing.pem", "invitation-codes.key"])
def test_a_secret_that_others_may_read_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    keys.load_or_create(tmp_path)
    (tmp_path / "secrets" / name).chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        keys.load_or_create(tmp_path)


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)


def rsa_pem(*, public: bool) -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    if public:
        return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("token-signing.pem", b""),
        ("token-signing.pem", b"not a key"),
        ("token-signing.pem", rsa_pem(public=False)),
        ("token-signing.pem", b"x" * 100_000),
        ("token-verify-x.pem", b""),
        ("token-verify-x.pem", rsa_pem(public=True)),
        ("invitation-codes.key", b""),
        ("invitation-codes.key", b"short"),
        ("invitation-codes.key", b"x" * 33),
    ],
)
def test_a_broken_secret_is_refused_and_kept(tmp_path: Path, name: str, data: bytes) -> None:
    keys.load_or_create(tmp_path)
    write(tmp_path / "secrets" / name, data)
    with pytest.raises(ConfigError):
        keys.load_or_create(tmp_path)
    assert (tmp_path / "secrets" / name).read_bytes() == data


def test_too_many_keys_are_refused(tmp_path: Path) -> None:
    keys.load_or_create(tmp_path)
    for i in range(8):
        other = keys.load_or_create(tmp_path / str(i)).signing_key.public_key()
        pem = other.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        write(tmp_path / "secrets" / f"token-verify-{i}.pem", pem)
    with pytest.raises(ConfigError, match="more than 8"):
        keys.load_or_create(tmp_path)


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError):
        keys.load_or_create(tmp_path / "file")
    (tmp_path / "secrets" / "token-signing.pem").mkdir(parents=True)
    with pytest.raises(ConfigError):
        keys.load_or_create(tmp_path)


def test_nodes_that_share_a_text_share_all_secrets() -> None:
    text = "a secret of thirty-two characters"
    one, other = keys.from_secret(text), keys.from_secret(text)
    assert other.verifier().verify(token(one), now=NOW)
    assert one.code_key == other.code_key
    assert one.code_key != one.signing_key.private_bytes_raw()
    assert keys.from_secret(text + "x").kid != one.kid
    with pytest.raises(ConfigError):
        keys.from_secret("x" * 31)


def test_nodes_that_share_a_text_take_another_and_read_what_was_signed_before(tmp_path: Path) -> None:
    texts = [f"a secret of thirty-two characters {number}" for number in range(9)]
    first, second = keys.from_secret(texts[0]), keys.from_secret(texts[1], texts[:1])
    assert second.kid == keys.from_secret(texts[1]).kid
    assert second.verifier().verify(token(first), now=NOW)
    with pytest.raises(Unauthenticated):
        first.verifier().verify(token(second), now=NOW)
    for purpose in ("audit", "decisions", "webhooks"):
        old, new = getattr(first, purpose), getattr(second, purpose)
        assert set(new.verify_keys) == {old.kid, new.kid}
    assert list(keys.from_secret(texts[0], texts[:1]).verify_keys) == [first.kid]
    assert keys.identifier_key(tmp_path, texts[0]) == keys.identifier_key(tmp_path, texts[2], [texts[1], texts[0]])
    assert keys.identifier_key(tmp_path, texts[2]) != keys.identifier_key(tmp_path, texts[2], [texts[1]])
    for previous in (texts[:8], ["x" * 31]):
        with pytest.raises(ConfigError):
            keys.from_secret(texts[8], previous)


def test_a_rotation_that_forgets_ends_every_token(tmp_path: Path) -> None:
    first = keys.load_or_create(tmp_path)
    second = keys.rotate(tmp_path)
    third = keys.rotate(tmp_path, forget=True)
    assert list(third.verify_keys) == [third.kid]
    assert third.code_key == first.code_key
    for old in (first, second):
        with pytest.raises(Unauthenticated):
            third.verifier().verify(token(old), now=NOW)
    assert third.verifier().verify(token(third), now=NOW)


def test_a_rotation_that_is_given_up_or_dies_changes_nothing(tmp_path: Path) -> None:
    old = keys.load_or_create(tmp_path)
    files = {path.name: path.read_bytes() for path in (tmp_path / "secrets").iterdir()}
    given_up = keys.Rotation(tmp_path, forget=True)
    assert keys.load_or_create(tmp_path).kid == old.kid != given_up.kid
    given_up.give_up()
    assert {path.name: path.read_bytes() for path in (tmp_path / "secrets").iterdir()} == files
    keys.Rotation(tmp_path, forget=True)  # and then the process died
    next_one = keys.Rotation(tmp_path, forget=False)
    assert next_one.older_kept == 1
    new = next_one.take_effect()
    assert new.kid == next_one.kid
    assert sorted(path.name for path in (tmp_path / "secrets").iterdir()) == sorted([*files, f"token-verify-{old.kid}.pem"])
    assert keys.load_or_create(tmp_path).verifier().verify(token(old), now=NOW)
    for _ in range(9):
        rotation = keys.Rotation(tmp_path, forget=False)
        assert len(rotation.take_effect().verify_keys) - 1 == rotation.older_kept
    assert rotation.older_kept == 7


def test_the_audit_has_the_new_key_before_it_takes_effect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = keys.load_or_create(tmp_path)
    config = Config(data_dir=tmp_path)

    async def full(self: SqlTransaction, event: AuditEvent) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(SqlTransaction, "append_audit", full)
        with pytest.raises(OSError, match="No space"):
            asyncio.run(cli_keys._rotate(config, forget=True))
    assert keys.load_or_create(tmp_path).kid == old.kid
    assert not list((tmp_path / "secrets").glob(".token*"))
    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", _refuse)
        with pytest.raises(ConfigError, match="cannot be written"):
            asyncio.run(cli_keys._rotate(config, forget=False))
    assert keys.load_or_create(tmp_path).kid == old.kid
    kid, kept = asyncio.run(cli_keys._rotate(config, forget=False))
    assert keys.load_or_create(tmp_path).kid == kid
    assert kept == 1
    subjects = asyncio.run(_rotated(config))
    assert len(subjects) == 2  # one too many rather than one too few
    assert subjects[-1] == kid


def _refuse(self: Path, target: Path) -> Path:
    raise OSError(5, "Input/output error")


async def _rotated(config: Config) -> list[str]:
    store = await open_store(database_url(config), migrate=True)
    try:
        async with store.read() as tx:
            entries = await tx.list_audit(after=0, limit=100)
    finally:
        await store.close()
    return [entry.event.subject for entry in entries if entry.event.action is AuditAction.SIGNING_KEY_ROTATED]
