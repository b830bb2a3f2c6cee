"""``Idempotency-Key``: the same key and request get the first answer again; another request is refused; of many at once
with one key, one is carried out and the others get its answer. The key is written down before the work begins: a server that
dies between the work and its answer refuses a repeat, because it cannot know, rather than doing the thing twice.

Answers may hold what is shown once (tokens, links, keys), so they are sealed: AES-256-GCM under a key derived from the
server's secret and the client's own key, of which only a hash is kept. Who has the database cannot read them.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.clock import Clock
from server.errors import Conflict, Gone
from server.store.codec import GONE
from server.store.ports import IdempotencyRecord, Store

MIN_ANONYMOUS_CHARS = 16  # anybody could guess a short one, and get the other's answer
NONCE_BYTES = 12
BEGUN = 0  # a record's status until its answer is there


class StoredReply(msgspec.Struct, frozen=True):
    body: bytes
    location: str


class Idempotency:
    def __init__(self, store: Store, clock: Clock, *, secret: bytes, keep_s: int) -> None:
        self._store = store
        self._clock = clock
        self._secret = secret
        self._keep = timedelta(seconds=keep_s)
        self._running: dict[tuple[str, str], tuple[asyncio.Lock, int]] = {}

    async def run(
        self, scope: str, key: str, request_hash: bytes, status: int, execute: Callable[[], Awaitable[StoredReply]]
    ) -> StoredReply:
        """``execute`` once for this scope and key. Raises Conflict for another request; a failure is not remembered."""
        name = hashlib.sha256(f"{scope}\0{key}".encode()).hexdigest()
        # Under a key: a body may be little more than a telephone number, which a plain hash would tell.
        request_hash = hmac.digest(self._secret, b"request\0" + request_hash, "sha256")
        lock, users = self._running.get((scope, name), (asyncio.Lock(), 0))
        self._running[scope, name] = lock, users + 1
        try:
            async with lock:
                return await self._run(scope, key, name, request_hash, status, execute)
        finally:
            lock, users = self._running[scope, name]
            if users == 1:
                del self._running[scope, name]
            else:
                self._running[scope, name] = lock, users - 1

    async def forget_old(self) -> int:
        """Drop what is older than ``keep_s``; how many."""
        async with self._store.begin() as tx:
            return await tx.forget_idempotency(self._clock.now() - self._keep)

    async def _run(
        self,
        scope: str,
        key: str,
        name: str,
        request_hash: bytes,
        status: int,
        execute: Callable[[], Awaitable[StoredReply]],
    ) -> StoredReply:
        cipher = AESGCM(hmac.digest(self._secret, f"idempotency\0{scope}\0{key}".encode(), "sha256"))
        async with self._store.read() as tx:
            record = await tx.get_idempotency(scope, name)
        if record is not None:
            if not hmac.compare_digest(record.request_hash, request_hash):
                raise Conflict("This Idempotency-Key was used for another request, or before the server's secret was changed.")
            if record.status == GONE:
                raise Gone("What this request made was erased.")
            if record.status == BEGUN:
                raise Conflict("The first request with this key was cut off: look whether it was done, then use another key.")
            try:
                plain = cipher.decrypt(record.body[:NONCE_BYTES], record.body[NONCE_BYTES:], name.encode())
            except InvalidTag:
                raise Conflict("This Idempotency-Key was used before the server's secret was changed.") from None
            return msgspec.msgpack.decode(plain, type=StoredReply)
        begun = IdempotencyRecord(
            scope=scope, key=name, request_hash=request_hash, status=BEGUN, body=b"", created_at=self._clock.now()
        )
        async with self._store.begin() as tx:
            await tx.add_idempotency(begun)
        try:
            reply = await execute()
        except Exception:  # refused or failed: not done. Cancelled is another matter: nobody knows, and the key stays begun
            async with self._store.begin() as tx:
                await tx.drop_idempotency(scope, name)
            raise
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + cipher.encrypt(nonce, msgspec.msgpack.encode(reply), name.encode())
        async with self._store.begin() as tx:
            about = reply.location.rpartition("/")[2]
            await tx.save_idempotency(msgspec.structs.replace(begun, status=status, body=sealed, about=about))
        return reply
