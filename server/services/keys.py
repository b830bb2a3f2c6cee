"""API keys of the bank's systems: ``AK_… .secret``; 256 random bits, of which only the SHA-256 is kept."""

import hashlib
import hmac
import secrets

import msgspec

from server.api.bodies import KeyCreated, KeyView
from server.audit.events import AuditAction, AuditEvent
from server.clock import Clock
from server.domain import ids
from server.domain.grants import KEY_RIGHTS
from server.domain.ids import ApiKeyId
from server.domain.model import ApiKey
from server.errors import NotFound, Unauthenticated
from server.services.ports import MakeId
from server.store.ports import Store

SECRET_BYTES = 32
MAX_SECRET_CHARS = 100


class ApiKeys:
    def __init__(self, store: Store, clock: Clock, make_id: MakeId) -> None:
        self._store = store
        self._clock = clock
        self._make_id = make_id

    async def create(self, name: str, actor: str, **rights: bool) -> KeyCreated:
        """The one time that the secret can be read. ``rights``: of ``KEY_RIGHTS``."""
        now = self._clock.now()
        id = ApiKeyId(self._make_id(ids.API_KEY))
        secret = f"{id}.{secrets.token_urlsafe(SECRET_BYTES)}"
        key = ApiKey(
            id=id,
            name=name,
            secret_hash=_hash(secret),
            created_at=now,
            created_by=actor,
        )
        key = msgspec.structs.replace(key, **rights)
        async with self._store.begin() as tx:
            await tx.add_api_key(key)
            details = {right: "yes" for right, given in rights.items() if given}
            await tx.append_audit(AuditEvent(action=AuditAction.KEY_CREATED, at=now, actor=actor, subject=id, details=details))
        return KeyCreated(key=key_view(key), secret=secret)

    async def all(self) -> list[ApiKey]:
        async with self._store.read() as tx:
            return await tx.list_api_keys()

    async def revoke(self, id: ApiKeyId, actor: str) -> None:
        """From now on it opens nothing. Again changes nothing. Raises NotFound."""
        now = self._clock.now()
        async with self._store.begin() as tx:
            key = await tx.get_api_key(id)
            if key is None:
                raise NotFound("There is no such key.")
            if key.revoked_at is not None:
                return
            await tx.save_api_key(msgspec.structs.replace(key, revoked_at=now))
            await tx.append_audit(AuditEvent(action=AuditAction.KEY_REVOKED, at=now, actor=actor, subject=id))

    async def authenticate(self, secret: str) -> ApiKey:
        """The live key that this is the secret of. Raises Unauthenticated, the same for every wrong one."""
        id, _, rest = secret.partition(".")
        if len(secret) <= MAX_SECRET_CHARS and rest and ids.is_id(id, ids.API_KEY):
            async with self._store.read() as tx:
                key = await tx.get_api_key(ApiKeyId(id))
            if key is not None and hmac.compare_digest(key.secret_hash, _hash(secret)) and key.revoked_at is None:
                return key
        raise Unauthenticated("This key is not valid.")


def looks_like_key(credential: str) -> bool:
    """Whether a bearer credential is meant to be an API key and not a token."""
    return credential.startswith(f"{ids.API_KEY}_")


def key_view(key: ApiKey) -> KeyView:
    return KeyView(
        id=key.id,
        name=key.name,
        created_at=key.created_at,
        revoked=key.revoked_at is not None,
        **{right: getattr(key, right) for right in KEY_RIGHTS},
    )


def _hash(secret: str) -> bytes:
    return hashlib.sha256(b"api key\0" + secret.encode(errors="surrogatepass")).digest()
