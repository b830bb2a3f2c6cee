"""The bank's side of a test: REST calls to a running server, and what a test needs to begin."""

from dataclasses import dataclass
from typing import Any

import aiohttp


class Refused(AssertionError):
    """A call that should have worked did not."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session with its two links."""

    id: str
    customer_link: str
    expert_link: str


class Bank:
    """A signed-in member of staff at the REST interface."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self.url = url
        self._token = ""

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        async with self._http.request(method, f"{self.url}/api/v1{path}", json=body, headers=headers) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise Refused(f"{method} {path}: {answer.status} {text}")
            return await answer.json() if text else None

    async def checks(self) -> bool:
        """Whether the server looks at faces now."""
        async with self._http.get(f"{self.url}/readyz") as answer:
            return bool((await answer.json())["verification"])

    async def sign_in(self, username: str, password: str) -> None:
        self._token = (await self.call("POST", "/login", {"username": username, "password": password}))["token"]

    def use(self, token: str) -> None:
        """An API key instead of an account."""
        self._token = token

    async def open(
        self, *, language: str = "en", customer: str = "Lin Xiaoyu", expert: str = "Dr Chen", reference: str = "C-1001"
    ) -> Opened:
        session = await self.call(
            "POST",
            "/sessions",
            {
                "kind": "video",
                "language": language,
                "customer_name": customer,
                "customer_reference": reference,
                "reason": "Card lost" if language == "en" else "银行卡丢失",
                "context": "Card blocked; wants a new one." if language == "en" else "卡已挂失，需要补办新卡。",
            },
        )
        links = [
            (await self.call("POST", f"/sessions/{session['id']}/invitations", {"role": role, "name": name}))["link"]
            for role, name in (("customer", customer), ("expert", expert))
        ]
        return Opened(session["id"], *(link if link.startswith("http") else self.url + link for link in links))

    async def relayed(self, session: str) -> dict[tuple[str, str], dict[str, Any]]:
        """What the relay counted of each source now, by role and source."""
        roles = {one["id"]: one["role"] for one in await self.participants(session)}
        told = await self.call("GET", f"/sessions/{session}/media")
        return {
            (roles[one["participant"]], source["source"]): source for one in told["participants"] for source in one["sources"]
        }

    async def participants(self, session: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.call("GET", f"/sessions/{session}/participants"))["participants"]
        return found
