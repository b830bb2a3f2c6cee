"""A house with staff at desks, who come into sessions by their accounts as the API lets them."""

from dataclasses import dataclass
from typing import Any

from server.domain.ids import LoginId, ParticipantId, SessionId, StaffId
from server.domain.model import Role
from server.services.entries import Entries
from tests.support.signalling import House, Page


@dataclass(slots=True)
class Colleague:
    """``login``: of the desk's token."""

    id: StaffId
    login: LoginId
    desk: Page
    token: str


class Branch(House):
    """``async with Branch() as house``."""

    async def __aenter__(self) -> "Branch":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def colleague(self, role: Role = Role.AGENT) -> Colleague:
        """Somebody at a desk."""
        staff, token = await self.staff(role)
        claims = self.verifier.verify(token, now=self.clock.now())
        return Colleague(staff, LoginId(claims.login), await self.connect(token), token)

    async def comes(self, session: SessionId, one: Colleague) -> tuple[ParticipantId, Page]:
        """Into a session, as ``POST /sessions/{session}/enter`` lets them."""
        entries: Entries = self.entries
        entry = await entries.enter(session, one.id, one.login)
        return entry.participant, await self.connect(entry.token)

    async def served(self) -> tuple[SessionId, Colleague, "Inside", "Inside"]:
        """An open session, its agent with a desk, the agent's page and a customer's, both with consents given."""
        ann = await self.colleague()
        session = await self.session(created_by=ann.id)
        agent = Inside(*await self.comes(session, ann))
        customer = Inside(*await self.enter(session))
        for one in (agent, customer):
            await give(one.page, "microphone", "camera")
        return session, ann, agent, customer

    def gates(self, session: SessionId, participant: ParticipantId) -> set[str]:
        return set(self.media.gates.get((session, participant), ()))

    def circle(self, session: SessionId, participant: ParticipantId) -> str:
        return self.media.circles.get((session, participant), "")


@dataclass(slots=True)
class Inside:
    id: ParticipantId
    page: Page


async def give(page: Page, *scopes: str) -> None:
    for scope in scopes:
        await page.say("consent.set", scope=scope, decision="given", wording=f"{scope}-1", language="en")


def states(page: Page) -> list[str]:
    """Of the hand-over, as this page was told."""
    return [body["state"] for body in page.got("handover")]


def view_of(page: Page, participant: str) -> dict[str, Any]:
    """As this page was last told."""
    found: dict[str, Any] = [
        body["participant"] for body in page.got("participant.changed") if body["participant"]["id"] == participant
    ][-1]
    return found


def left(page: Page) -> dict[str, str]:
    return {body["participant"]: body["reason"] for body in page.got("participant.left")}
