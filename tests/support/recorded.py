"""A live session that is recorded: a house with a recorder, a customer and an agent in it, and how their pages show it."""

from typing import Any

from server.domain.ids import SessionId
from server.domain.model import Recording, Role
from server.live.settings import LiveSettings, RecordingSettings
from server.signalling.messages_recording import ChecklistItem
from tests.support.fake_recorder import FakeRecorder
from tests.support.signalling import BrittleStore, House, Page

SOURCES = frozenset({"microphone", "camera", "screen"})
CHECKLIST = (ChecklistItem(item="identity", zh="身份", en="Identity"), ChecklistItem(item="risk", zh="风险", en="Risks"))


class Studio(House):
    """A house with a recorder, whose calls are in one list with those of the media plane."""

    def __init__(self, store: BrittleStore | None = None, **recording: Any) -> None:
        settings = RecordingSettings(**{"enabled": True, "checklist": CHECKLIST, **recording})
        self.recorder = FakeRecorder()
        super().__init__(LiveSettings(recording=settings), store=store, recorder=self.recorder)
        self.recorder.calls = self.media.calls

    async def recordings(self) -> list[Recording]:
        async with self.store.read() as tx:
            return list(reversed((await tx.list_recordings(session=None, limit=100, cursor=None)).recordings))

    def whom(self, session: str) -> set[str]:
        """Of whom the relay writes now."""
        said = self.media.recordings.get(session)
        return set(said.whom) if said is not None and said.state == "on" else set()

    async def actions(self) -> list[str]:
        return [action for action, _ in await self.audit() if action.startswith(("recording.", "checkpoint."))]


class Call:
    """A customer and an agent, in a session."""

    def __init__(self, house: Studio, session: SessionId) -> None:
        self.house = house
        self.session = session

    async def begin(self) -> "Call":
        self.customer_id, self.customer = await self.house.enter(self.session)
        self.agent_id, self.agent = await self.house.enter(self.session, Role.AGENT)
        return self

    async def recorded(self) -> str:
        """It is being recorded; the recording."""
        await self.agent.say("recording.set", state="on")
        await agree(self.customer)
        await agree(self.agent)
        assert state(self.customer) == "on"
        id: str = now(self.customer)["id"]
        return id


async def agree(page: Page, decision: str = "given") -> str | None:
    return await page.error("consent.set", scope="recording", decision=decision, wording="recording-2", language="en")


def now(page: Page) -> dict[str, Any]:
    """The state as this page shows it."""
    told = page.got("recording")
    return told[-1] if told else page.snapshot["recording"]


def state(page: Page) -> str:
    return str(now(page)["state"])
