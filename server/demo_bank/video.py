"""Tongping as the bank sees it: its REST interface, with one key, over HTTP. Every call has a deadline; only what may be repeated is.

``docs/transactions.md`` and ``docs/face-api.md`` say what each of them means.
"""

import asyncio
import io
import json
import ssl
import time
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from server.demo_bank import hooks
from server.demo_bank.settings import Settings

CALL_S = 20.0
PICTURE_S = 60.0
MAX_ANSWER_BYTES = 1 << 20
KEYS_KEPT_S = 3600.0
KEYS_AGAIN_S = 10.0
"""A key that is not known may be a new one, or a forger's: so often at most the set is fetched for it."""


class Unreachable(Exception):
    """No answer: it may have been done, or not."""


class Refused(Exception):
    """An answer that is a no. ``code``: Tongping's, stable. ``advice``: what the person can do, by language; perhaps several."""

    def __init__(self, status: int, code: str, advice: list[dict[str, str]]) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code, self.advice = status, code, advice


class Video:
    """Call ``close`` at the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http: aiohttp.ClientSession | None = None
        self._sets: dict[str, tuple[float, dict[str, Any]]] = {}

    # ---- faces

    async def enrol(self, image: bytes, subject: str, consent: str, once: str) -> dict[str, Any]:
        """A template of this face, and its picture for who reviews. Raises Refused (``code`` ``no_face``, ``too_dark`` …), Unreachable."""
        fields = {"image": image, "subject": subject, "consent": consent, "keep_picture": "true"}
        return await self._repeatable("POST", "/face/templates", form=fields, once=once)

    async def enrol_again(self, template: str, image: bytes, consent: str) -> dict[str, Any]:
        return await self._repeatable(
            "PUT", f"/face/templates/{template}", form={"image": image, "consent": consent, "keep_picture": "true"}
        )

    async def template(self, template: str) -> dict[str, Any]:
        """Raises Refused: 404, or 410 once it is erased."""
        return await self._repeatable("GET", f"/face/templates/{template}")

    async def forget(self, template: str) -> None:
        await self._repeatable("DELETE", f"/face/templates/{template}")

    # ---- verifications

    async def ask(self, body: dict[str, Any], once: str) -> dict[str, Any]:
        """Have a transaction verified. Under one ``once`` nothing is asked for twice. Raises Refused, Unreachable."""
        return await self._repeatable("POST", "/verifications", body=body, once=once)

    async def case(self, case: str) -> dict[str, Any]:
        return await self._repeatable("GET", f"/verifications/{case}")

    async def cancel(self, case: str) -> None:
        await self._repeatable("POST", f"/verifications/{case}/cancel", body={})

    async def redeem(self, case: str, token: str) -> str:
        """When it was redeemed. Never repeated: who does not hear the answer does not know. Raises Refused (409: somebody was before), Unreachable."""
        return str((await self._call("POST", f"/verifications/{case}/redeem", body={"token": token}))["redeemed_at"])

    async def decision_keys(self, *, anew: bool = False) -> dict[str, Any]:
        """The JWKS that decisions are verified with."""
        return await self._key_set("/verifications/keys", anew)

    async def webhook_keys(self, *, anew: bool = False) -> list[Ed25519PublicKey]:
        try:
            return hooks.public_keys(await self._key_set("/webhooks/keys", anew))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Unreachable("no key set") from None

    async def _key_set(self, path: str, anew: bool) -> dict[str, Any]:
        now = time.monotonic()
        kept = self._sets.get(path)
        if kept is not None and now - kept[0] < (KEYS_AGAIN_S if anew else KEYS_KEPT_S):
            return kept[1]
        found = await self._repeatable("GET", path)
        self._sets[path] = (now, found)
        return found

    # ---- HTTP

    async def _repeatable(self, method: str, path: str, **sent: Any) -> dict[str, Any]:
        """Once more where no answer came: it changes nothing, or says which request it repeats."""
        try:
            return await self._call(method, path, **sent)
        except Unreachable:
            return await self._call(method, path, **sent)

    async def _call(
        self, method: str, path: str, *, body: Any = None, form: dict[str, Any] | None = None, once: str = ""
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._settings.key}"}
        if once:
            headers["Idempotency-Key"] = once
        data: aiohttp.FormData | None = None
        if form is not None:
            data = aiohttp.FormData()
            for name, value in form.items():
                if isinstance(value, bytes):
                    data.add_field(name, io.BytesIO(value), filename="photograph", content_type="image/jpeg")
                else:
                    data.add_field(name, value)
        within = aiohttp.ClientTimeout(total=PICTURE_S if form else CALL_S)
        try:
            async with self._session().request(
                method, f"{self._settings.server_url}/api/v1{path}", json=body, data=data, headers=headers, timeout=within,
                allow_redirects=False,
            ) as answer:  # fmt: skip
                text = await answer.content.read(MAX_ANSWER_BYTES)
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(type(error).__name__) from None
        try:
            said = json.loads(text) if text else {}
        except ValueError:
            said = None
        if status >= 500 or not isinstance(said, dict):
            if isinstance(said, dict) and said.get("code"):
                raise Refused(status, str(said["code"]), [])
            raise Unreachable(f"status {status}")
        if status >= 300:
            reasons = said.get("reasons") or []
            raise Refused(
                status,
                str(said.get("code", "")),
                [one["advice"] for one in reasons if isinstance(one, dict) and "advice" in one],
            )
        return said

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            trusted = ssl.create_default_context()
            if self._settings.ca_file:
                trusted.load_verify_locations(self._settings.ca_file)
                trusted.verify_flags &= (
                    ~ssl.VERIFY_X509_STRICT
                )  # a certificate made for trying things has not all that a CA's has
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=trusted, limit=16), cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        return self._http

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()
            await asyncio.sleep(0)
