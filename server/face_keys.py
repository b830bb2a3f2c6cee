"""The master keys of templates of faces and of what is sealed of transactions: another one in the place of the one that is there. A part of the
composition root: it takes the key ring of recordings.

Nothing is ever without a key that opens it: the file has old and new keys from before the first thing is protected by the new one until the last is, each
step is whole or not done, and whatever breaks off is gone on with by doing it again.
"""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from media.recording.errors import RecordingError
from media.recording.keyfile import load_ring
from media.recording.keys import KEY_BYTES, NONCE_BYTES, KeyRing, read_master_keys, wrapped_with
from media.recording.writer import write_file
from server.config import Config
from server.errors import ConfigError
from server.faces import KEY_FILE, template_keys
from server.store.ports import Store

AT_ONCE = 100
"""Records in one transaction of the store."""


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """``key``: the id of the master key that protects everything now. ``unreadable``: what no key opens that is known, by id; left as it was."""

    key: str
    known: int
    changed: int
    unreadable: tuple[str, ...]


def put_new_key_first(config: Config) -> None:
    """Into the key file, before those that are there. Raises ConfigError."""
    template_keys(config)  # there is a file, and it can be read
    path = config.data_dir / KEY_FILE
    _need_file(config)
    try:
        content = base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n" + _lines(path.read_bytes())
        read_master_keys(content)
        write_file(path, content)
    except (RecordingError, OSError) as error:
        raise ConfigError(f"{path}: {getattr(error, 'detail', '') or error}") from None


def forget_old_keys(config: Config) -> int:
    """Leave the first key alone in the file; how many are gone. Only after ``rewrap`` left nothing unreadable. Raises ConfigError."""
    _need_file(config)
    path = config.data_dir / KEY_FILE
    try:
        before = load_ring(str(path))
        write_file(path, _lines(path.read_bytes()).split(b"\n")[0] + b"\n")
    except (RecordingError, OSError) as error:
        raise ConfigError(f"{path}: {getattr(error, 'detail', '') or error}") from None
    return len(before.ids) - 1


def _need_file(config: Config) -> None:
    if config.verification.key:
        raise ConfigError(
            "the master keys come from `verification.key`: put the new one in front there, and take the old one away afterwards"
        )


def _lines(content: bytes) -> bytes:
    """One key to a line, in base64, whatever the file had."""
    return b"".join(base64.b64encode(key) + b"\n" for key in read_master_keys(content))


async def rewrap(store: Store, ring: KeyRing, *, at_once: int = AT_ONCE) -> Rewrapped:
    """The key of every template and of every transaction that is under way, under the first master key."""
    known = changed = 0
    unreadable: list[str] = []

    def again(id: str, wrapped: bytes) -> bytes:
        """As it is, where nothing is to be done."""
        nonlocal changed
        try:
            if not wrapped or wrapped_with(wrapped) == ring.current:
                return wrapped
            rewrapped = ring.rewrap(id, wrapped, secrets.token_bytes(NONCE_BYTES))
        except RecordingError:
            unreadable.append(id)
            return wrapped
        changed += 1
        return rewrapped

    for batch in (_templates, _cases):
        after, count = "", at_once
        while count == at_once:
            after, count = await batch(store, after, at_once, again)
            known += count
    return Rewrapped(ring.current, known, changed, tuple(dict.fromkeys(unreadable)))


Again = Callable[[str, bytes], bytes]


async def _templates(store: Store, after: str, limit: int, again: Again) -> tuple[str, int]:
    """Where the next ones begin, how many these were."""
    async with store.begin() as tx:
        found = await tx.list_templates(after, limit)
        for record in found:
            key = again(record.id, record.key)
            if key != record.key:
                await tx.save_template(msgspec.structs.replace(record, key=key))
    return found[-1].id if found else after, len(found)


async def _cases(store: Store, after: str, limit: int, again: Again) -> tuple[str, int]:
    async with store.begin() as tx:
        found = await tx.sealed_cases(after, limit)
        for case in found:
            keys = again(case.id, case.key), again(case.id, case.reference_key)
            if keys != (case.key, case.reference_key):
                await tx.save_case(msgspec.structs.replace(case, key=keys[0], reference_key=keys[1]))
    return found[-1].id if found else after, len(found)
