"""The bank's side of a load test: signing in, sessions, invitations."""

import json
import secrets
from typing import Any

import aiohttp

from server.loadtest.settings import LoadtestFailed

TIMEOUT = aiohttp.ClientTimeout(total=30)


class Refused(LoadtestFailed):
    """``code``: of the problem, or the HTTP status."""

    def __init__(self, what: str, status: int, code: str) -> None:
        super().__init__(f"{what} was answered {status} {code}".rstrip())
        self.status = status
        self.code = code or str(status)


class Api:
    """``authorization``: the header's value, "" before signing in."""

    def __init__(self, http: aiohttp.ClientSession, url: str, authorization: str = "") -> None:
        self.http = http
        self.url = url
        self.authorization = authorization

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer's JSON, None where there is none. Raises Refused, LoadtestFailed (no connection)."""
        headers = {"Authorization": self.authorization} if self.authorization else {}
        if method == "POST" and self.authorization:
            headers["Idempotency-Key"] = secrets.token_hex(8)
        try:
            async with self.http.request(
                method, f"{self.url}/api/v1{path}", json=body, headers=headers, timeout=TIMEOUT
            ) as answer:
                if answer.status >= 400:
                    raise Refused(f"{method} {_shape(path)}", answer.status, await _code(answer))
                return await answer.json() if answer.status != 204 else None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise LoadtestFailed(f"{method} {_shape(path)}: {type(error).__name__}") from None

    async def sign_in(self, username: str, password: str) -> None:
        login = await self.call("POST", "/login", {"username": username, "password": password})
        self.authorization = f"Bearer {login['token']}"

    async def open_session(self, number: int) -> str:
        body = {"kind": "video", "reason": "loadtest", "customer_reference": f"LOADTEST-{number}"}
        return str((await self.call("POST", "/sessions", body))["id"])

    async def invite(self, session: str, role: str, uses: int) -> str:
        """The secret of a link for so many."""
        body = {"role": role, "name": f"loadtest {role}", "uses_allowed": uses, "with_code": False}
        link = (await self.call("POST", f"/sessions/{session}/invitations", body))["link"]
        return str(link).rsplit("/", 1)[-1]

    async def redeem(self, secret: str, name: str) -> dict[str, Any]:
        """The place: its ``token``."""
        public = Api(self.http, self.url)
        entry: dict[str, Any] = await public.call("POST", "/invitations/redeem", {"secret": secret, "name": name})
        return entry

    async def end(self, session: str) -> None:
        await self.call("POST", f"/sessions/{session}/end", {"reason": "loadtest"})


def _shape(path: str) -> str:
    """Without ids, so that many failures are one reason."""
    return "/".join("…" if "_" in part else part for part in path.split("/"))


async def _code(answer: aiohttp.ClientResponse) -> str:
    try:
        found = json.loads((await answer.content.read(65536)).decode())
    except (ValueError, aiohttp.ClientError):
        return ""
    return str(found.get("code", "")) if isinstance(found, dict) else ""
