"""What each message does, who may send it, and that it reaches its own session only."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, get_args

import pytest

from server.domain.grants import Grant
from server.domain.model import Role
from server.live.actions import ACTIONS
from server.live.ports import NetworkState
from server.live.settings import LiveSettings
from server.signalling.messages import ClientBody
from tests.support.fake_media import OFFER, FakeMedia
from tests.support.signalling import House, Page


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.close()


def test_every_message_has_an_action() -> None:
    assert set(ACTIONS) == set(get_args(ClientBody))


# ---------------------------------------------------------------- chat


async def test_chat_reaches_everybody_and_is_stored(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    _, other = await house.enter(session, Role.AGENT)
    await page.say("chat.send", client_id="a", text="你好")
    for one in (page, other):
        message = one.got("chat.message")[-1]["message"]
        assert (message["number"], message["text"], message["participant"], message["role"]) == (1, "你好", id, "customer")
    _, late = await house.enter(session, Role.EXPERT)
    assert [message["text"] for message in late.snapshot["chat"]] == ["你好"]


async def test_chat_is_idempotent(house: House) -> None:
    session = await house.session()
    _, page = await house.enter(session)
    _, other = await house.enter(session, Role.AGENT)
    await page.say("chat.send", client_id="a", text="one")
    await page.say("chat.send", client_id="a", text="something else")
    assert [body["message"]["text"] for body in other.got("chat.message")] == ["one"]
    assert [body["message"]["text"] for body in page.got("chat.message")] == ["one", "one"]


async def test_chat_that_cannot_be_stored_is_not_told(house: House) -> None:
    session = await house.session()
    _, page = await house.enter(session)
    _, other = await house.enter(session, Role.AGENT)
    with house.broken_store():
        assert await page.error("chat.send", client_id="a", text="one") == "internal"
    assert other.got("chat.message") == []
    assert await page.error("chat.send", client_id="a", text="one") is None
    assert len(other.got("chat.message")) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"client_id": "a"},
        {"client_id": "a", "text": "  \n"},
        {"client_id": "", "text": "x"},
        {"client_id": "a", "text": "x" * 4001},
        {"client_id": "a", "text": 1},
        {"client_id": "a", "text": "x", "extra": 1},
        {"text": "x"},
    ],
)
async def test_bad_chat(house: House, fields: dict[str, object]) -> None:
    session = await house.session()
    _, page = await house.enter(session)
    assert await page.error("chat.send", **fields) == "invalid"
    assert await page.error("chat.send", client_id="b", text="goes on") is None
    assert len(page.got("chat.message")) == 1


async def test_chat_with_a_file(house: House) -> None:
    session, other_session = await house.session(), await house.session()
    id, page = await house.enter(session)
    stranger, _ = await house.enter(other_session)
    mine, theirs = await house.file(session, id), await house.file(other_session, stranger)
    assert await page.error("chat.send", client_id="a", file=theirs) == "not_found"
    assert await page.error("chat.send", client_id="b", file="FI_NONE") == "not_found"
    assert await page.error("chat.send", client_id="c", file=mine) is None
    assert page.got("chat.message")[-1]["message"]["file"]["id"] == mine
    await page.say("chat.send", client_id="c", text="again")
    assert page.got("chat.message")[-1]["message"]["file"]["id"] == mine
    again = await house.connect(house.token(session, id, Role.CUSTOMER))
    assert again.snapshot["chat"][-1]["file"]["name"] == "a.png"


async def test_read(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    _, other = await house.enter(session, Role.AGENT)
    for n in ("1", "2"):
        await other.say("chat.send", client_id=n, text=n)
    first, second = (body["message"]["id"] for body in page.got("chat.message"))
    await page.say("chat.read", message=second)
    await page.say("chat.read", message=first)  # older than what was read: nothing new
    assert other.got("chat.seen") == [{"type": "chat.seen", "participant": id, "number": 2}]
    assert await page.error("chat.read", message="ME_NONE") == "not_found"
    _, late = await house.enter(session, Role.EXPERT)
    assert late.got("chat.seen") == [{"type": "chat.seen", "participant": id, "number": 2}]


async def test_only_so_many_numbers_are_kept() -> None:
    house = House(LiveSettings(history=2))
    session = await house.session()
    _, page = await house.enter(session)
    for n in range(6):
        await page.say("chat.send", client_id=str(n), text="x")
    sent = [body["message"]["id"] for body in page.got("chat.message")]
    assert await page.error("chat.read", message=sent[0]) == "not_found"
    assert await page.error("chat.read", message=sent[-1]) is None
    await house.close()


async def test_a_snapshot_has_so_much_text_at_most() -> None:
    house = House(LiveSettings(history_chars=25))
    session = await house.session()
    id, page = await house.enter(session)
    for n in range(4):
        await page.say("chat.send", client_id=str(n), text=str(n) * 10)
    again = await house.connect(house.token(session, id, Role.CUSTOMER))
    assert [message["number"] for message in again.snapshot["chat"]] == [3, 4]
    await house.close()


# ---------------------------------------------------------------- tracks, asking, quality


async def test_track_state(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    _, other = await house.enter(session, Role.AGENT)
    for on in (True, False):
        await page.say("track.state", source="camera", on=on)
        view = other.got("participant.changed")[-1]["participant"]
        assert view["id"] == id
        assert {track["source"] for track in view["tracks"] if track["on"]} == ({"camera"} if on else set())


async def test_how_many_pictures_a_page_wants(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    await page.say("receive.set", video=0)
    assert house.media.receive == {(session, id): (0, {})}
    await page.say("receive.set", video=3, sizes=[{"mid": "9", "height": 360}, {"mid": "10", "height": 0}])
    assert house.media.receive == {(session, id): (3, {"9": 360, "10": 0})}
    assert await page.error("receive.set", video=3, sizes=[{"mid": "9", "height": -1}]) == "invalid"
    house.media.down = True
    assert await page.error("receive.set", video=2) == "media_unavailable"
    assert await page.error("receive.set", video=65) == "invalid"


async def test_ask(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    agent, other = await house.enter(session, Role.AGENT)
    assert await other.error("ask", participant=id, source="screen") is None
    assert page.got("asked") == [{"type": "asked", "by": agent, "source": "screen"}]
    assert other.got("asked") == []
    assert await page.error("ask", participant=agent, source="camera") == "not_allowed"
    assert await other.error("ask", participant=agent, source="camera") == "not_found"
    muted, _ = await house.place(session, Role.EXPERT)
    await house.connect(house.token(session, muted, Role.EXPERT, frozenset({Grant.CHAT})))
    assert await other.error("ask", participant=muted, source="camera") == "not_allowed"


async def test_quality(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    _, other = await house.enter(session, Role.AGENT)
    report = {"level": "fair", "rtt_ms": 80, "loss_permille": 3, "down_kbps": 900, "up_kbps": 800}
    codes = [await page.error("quality.report", **report) for _ in range(5)]
    assert codes == [None, None, None, "too_many", "too_many"]
    assert other.got("quality")[0] == {"type": "quality", "participant": id, "level": "fair", "rtt_ms": 80, "loss_permille": 3}
    assert page.got("quality") == []
    await house.advance(1, page, other)
    assert await page.error("quality.report", **report) is None
    assert await page.error("quality.report", **{**report, "loss_permille": 1001}) == "invalid"


async def test_what_a_token_does_not_grant(house: House) -> None:
    session = await house.session()
    id, _ = await house.place(session)
    other, _ = await house.enter(session, Role.AGENT)
    page = await house.connect(house.token(session, id, Role.CUSTOMER, frozenset()))
    for type, fields in {
        "chat.send": {"client_id": "1", "text": "x"},
        "chat.read": {"message": "ME_X"},
        "track.state": {"source": "camera", "on": True},
        "ask": {"participant": other, "source": "camera"},
        "participant.remove": {"participant": other},
        "participant.hold": {"participant": other, "held": True},
        "participant.mute": {"participant": other, "muted": True},
        "supervise": {"mode": "listen"},
        "recording.set": {"state": "on"},
        "checkpoint.mark": {"item": "identity", "done": True},
        "verification.begin": {"case": "VE_X", "participant": other},
        "verification.cannot": {},
        "verification.stop": {},
        "verification.agent": {"reason": "help"},
        "session.lock": {"locked": True},
        "session.waiting_room": {"on": True},
        "participant.admit": {"participant": other, "admitted": True},
        "participant.role": {"participant": other, "role": "expert"},
        "handover.offer": {},
        "handover.cancel": {},
        "handover.complete": {},
        "handover.answer": {"session": session, "accepted": True},
        "session.end": {},
        "media.offer": {"sdp": OFFER},
        "waiting.take": {"session": session},
    }.items():
        assert await page.error(type, **fields) == "not_allowed", type


# ---------------------------------------------------------------- two sessions


@pytest.mark.campaign(4)
async def test_nothing_reaches_another_session(house: House) -> None:
    session, foreign = await house.session(), await house.session()
    _, page = await house.enter(session, Role.AGENT)
    victim, other = await house.enter(foreign)
    _, host = await house.enter(foreign, Role.AGENT)
    await other.say("chat.send", client_id="1", text="private")
    file = await house.file(foreign, victim)
    message = other.got("chat.message")[-1]["message"]["id"]
    before = (len(other.frames), len(host.frames), dict(house.media.gates), dict(house.media.offers))
    tries: Sequence[tuple[str, Mapping[str, Any], set[str | None]]] = [
        ("chat.send", {"client_id": "1", "text": "x", "file": file}, {"not_found"}),
        ("chat.read", {"message": message}, {"not_found"}),
        ("ask", {"participant": victim, "source": "camera"}, {"not_found"}),
        ("participant.remove", {"participant": victim}, {"not_found"}),
        ("participant.hold", {"participant": victim, "held": True}, {"not_found"}),
        ("participant.mute", {"participant": victim, "muted": True}, {"not_found"}),
        ("supervise", {"mode": "whisper", "to": victim}, {"not_allowed"}),
        ("recording.set", {"state": "on"}, {"conflict"}),
        ("checkpoint.mark", {"item": "identity", "done": True}, {"conflict"}),
        ("verification.begin", {"case": "VE_" + "A" * 26, "participant": victim}, {"internal", "not_found"}),
        ("verification.cannot", {}, {"conflict"}),
        ("verification.stop", {}, {"conflict"}),
        ("verification.agent", {"reason": "help"}, {"not_allowed"}),
        ("participant.admit", {"participant": victim, "admitted": True}, {"not_found", "conflict"}),
        ("participant.role", {"participant": victim, "role": "agent"}, {"not_found", "conflict"}),
        ("session.lock", {"locked": True}, {None, "conflict"}),
        ("session.waiting_room", {"on": True}, {None, "conflict"}),
        ("handover.cancel", {}, {"conflict"}),
        ("handover.complete", {}, {"conflict"}),
        ("handover.offer", {"to": None}, {"not_found", "conflict"}),
        ("handover.answer", {"session": foreign, "accepted": True}, {"not_allowed"}),
        ("cobrowse.attach", {"code": "123456"}, {"not_found"}),
        ("cobrowse.detach", {}, {"not_found"}),
        ("pdf.open", {"pdf": "PD_" + "A" * 26}, {"not_found"}),
        ("pdf.close", {}, {"not_found"}),
        ("pdf.look", {"pdf": "PD_" + "A" * 26, "page": 1, "y": 0.5}, {"not_found"}),
        (
            "pdf.mark",
            {"pdf": "PD_" + "A" * 26, "mark": "1", "page": 1, "kind": "ink", "points": [[0, 0], [1, 1]]},
            {"not_found"},
        ),
        ("pdf.unmark", {"pdf": "PD_" + "A" * 26}, {"not_found"}),
        ("pdf.sign.ask", {"pdf": "PD_" + "A" * 26, "page": 1, "x": 0, "y": 0, "width": 0.5, "height": 0.1}, {"not_found"}),
        ("pdf.sign.cancel", {"pdf": "PD_" + "A" * 26}, {"not_found"}),
        ("pdf.sign", {"pdf": "PD_" + "A" * 26, "request": "1", "strokes": [[[0, 0], [1, 1]]]}, {"not_allowed"}),
        ("pdf.sign.decline", {"pdf": "PD_" + "A" * 26, "request": "1"}, {"not_allowed"}),
        ("waiting.take", {"session": foreign}, {"not_allowed"}),
        ("media.offer", {"sdp": OFFER}, {None}),
        ("track.state", {"source": "camera", "on": True}, {None}),
        ("receive.set", {"video": 1}, {None}),
        ("consent.set", {"scope": "camera", "decision": "given", "wording": "w", "language": "en"}, {None}),
        ("chat.send", {"client_id": "1", "text": "mine"}, {None}),
        ("quality.report", {"level": "good", "rtt_ms": 1, "loss_permille": 0, "down_kbps": 1, "up_kbps": 1}, {None}),
        ("session.end", {"reason": "x"}, {None}),
    ]
    assert {type for type, _, _ in tries} | {"leave"} == {body.__struct_config__.tag for body in ACTIONS}
    for type, fields, allowed in tries:
        assert await page.error(type, **fields) in allowed, type
    strip = {key: value for key, value in house.media.gates.items() if key[0] == foreign}
    assert (len(other.frames), len(host.frames)) == before[:2]
    assert strip == {key: value for key, value in before[2].items() if key[0] == foreign}
    assert {key: value for key, value in house.media.offers.items() if key[0] == foreign} == before[3]
    assert not [message for message in page.got("chat.message") if message["message"]["text"] == "private"]
    assert house.live.connected(foreign)


async def test_a_token_of_one_session_does_not_open_the_other(house: House) -> None:
    session, foreign = await house.session(), await house.session()
    id, page = await house.enter(session)
    page.cut()
    assert (await house.connect(house.token(foreign, id, Role.CUSTOMER), page.resume())).bye == "unauthorised"


# ---------------------------------------------------------------- media


async def test_offer_and_answer(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    await page.say("media.offer", sdp=OFFER)
    assert page.got("media.answer")[-1]["sdp"].startswith("v=0")
    assert (session, id) in house.media.offers


async def test_an_offer_that_cannot_be_answered(house: House) -> None:
    session = await house.session()
    _, page = await house.enter(session)
    assert await page.error("media.offer", sdp="v=0") == "sdp_refused"
    assert await page.error("media.offer", sdp="") == "invalid"
    house.media.down = True
    assert await page.error("media.offer", sdp=OFFER) == "media_unavailable"
    house.media.down = False
    assert await page.error("media.offer", sdp=OFFER) is None


async def test_what_the_relay_says(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    other_id, other = await house.enter(session, Role.AGENT)
    house.media.peer(session, id, "connected")
    assert other.got("participant.changed")[-1]["participant"]["state"] == "active"
    house.media.peer(session, id, "connected")
    assert len(other.got("participant.changed")) == 1
    house.media.slots(session, id, ("3", other_id, "camera", True), ("4", None, None))
    assert page.got("slots")[-1]["slots"] == [
        {"mid": "3", "participant": other_id, "source": "camera", "held": True},
        {"mid": "4", "participant": None, "source": None, "held": False},
    ]
    assert other.got("slots") == []
    house.media.encodings(session, id, "camera", "q", "h")
    assert page.got("encodings") == [{"type": "encodings", "source": "camera", "active": ["q", "h"]}]
    house.media.network(session, id, NetworkState(512_345, 80, 21, "bandwidth", 1))
    told = {"type": "network", "down_kbps": 512, "rtt_ms": 80, "loss_permille": 21, "limit": "bandwidth", "held": 1}
    assert page.got("network") == [told]
    assert other.got("encodings") == other.got("network") == []
    house.media.speaking(session, other_id, "PA_GONE")
    assert page.got("speaking")[-1]["participants"] == [other_id]
    house.media.track(session, id, "camera", True)  # not open: nobody is told
    assert len(other.got("participant.changed")) == 1
    await page.say("consent.set", scope="camera", decision="given", wording="w", language="en")
    house.media.track(session, id, "camera", True)
    tracks = other.got("participant.changed")[-1]["participant"]["tracks"]
    assert [track["on"] for track in tracks if track["source"] == "camera"] == [True]
    house.media.track(session, id, "camera", False)
    house.media.peer(session, id, "failed")
    assert other.got("participant.changed")[-1]["participant"]["state"] == "joined"
    assert house.live.stats()["participants_active"] == 0


async def test_events_of_rooms_that_are_not_there(house: House) -> None:
    house.media.peer("SE_X", "PA_X", "connected")
    house.media.slots("SE_X", "PA_X")
    house.media.encodings("SE_X", "PA_X", "camera")
    house.media.network("SE_X", "PA_X", NetworkState(0, None, 0, "none", 0))
    house.media.speaking("SE_X", "PA_X")
    house.media.track("SE_X", "PA_X", "camera", True)
    house.media.lose("SE_X")


class SlowMedia(FakeMedia):
    """``connect`` waits for ``go``."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.inside = 0
        self.most = 0

    async def connect(self, room: str, participant: str, offer_sdp: str) -> str:
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.go.wait()
            return await super().connect(room, participant, offer_sdp)
        finally:
            self.inside -= 1


class SlowHouse(House):
    media_class = SlowMedia
    media: SlowMedia


async def until(condition: Any) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not happen")


async def test_the_newest_offer_counts_and_others_are_not_held_up() -> None:
    house = SlowHouse()
    session = await house.session()
    id, page = await house.enter(session)
    _, other = await house.enter(session, Role.AGENT)
    seqs = [page.post("media.offer", sdp=OFFER) for _ in range(3)]
    other.post("chat.send", client_id="1", text="meanwhile")
    await until(lambda: page.got("chat.message"))
    await until(lambda: house.media.inside == 1)
    house.media.go.set()
    await house.live.settle()
    assert page.errors() == {seqs[0]: "conflict", seqs[1]: "conflict"}
    assert len(page.got("media.answer")) == 1
    assert house.media.most == 1
    assert (session, id) in house.media.offers
    await house.close()


async def test_an_offer_of_an_older_page_is_not_answered_to_the_new_one() -> None:
    house = SlowHouse()
    session = await house.session()
    id, page = await house.enter(session)
    page.post("media.offer", sdp=OFFER)
    await until(lambda: house.media.inside == 1)
    token = house.token(session, id, Role.CUSTOMER)
    again = Page(house, house.live.new_connection())
    await house.greet(again, token)
    house.media.go.set()
    await house.live.settle()
    assert again.got("media.answer") == page.got("media.answer") == []
    assert house.media.offers == {}
    await house.close()


async def test_leaving_while_an_offer_is_answered() -> None:
    house = SlowHouse()
    session = await house.session()
    _, page = await house.enter(session)
    page.post("media.offer", sdp=OFFER)
    await until(lambda: house.media.inside == 1)
    page.post("leave")
    await until(lambda: page.bye == "left")
    house.media.go.set()
    await house.live.settle()
    assert house.media.offers == {}
    await house.close()


async def test_the_relay_does_not_answer_in_time() -> None:
    house = SlowHouse(LiveSettings(media_connect_s=0.001))
    session = await house.session()
    _, page = await house.enter(session)
    assert await page.error("media.offer", sdp=OFFER) == "media_unavailable"
    await house.close()
