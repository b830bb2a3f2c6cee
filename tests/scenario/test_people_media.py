"""Hand-over, whispers and ended rights through a whole server and a real media worker, over real ICE, DTLS and SRTP."""

import asyncio
import fractions
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from aiortc import AudioStreamTrack

from tests.support.bureau import DEADLINE_S, Bureau, Peer, Seat, bureau
from tests.support.machine import quick_or_skip
from tests.support.media_lab import colour_of, near

RED, BLUE = (120, 90, 200), (80, 200, 100)
RATE = 48_000
GAP_S = 0.3
REVOKED_S = 1.0


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Bureau]:
    async with bureau(tmp_path) as here:
        yield here


class Tone(AudioStreamTrack):
    """A sine of this pitch in Hz."""

    def __init__(self, pitch: float) -> None:
        super().__init__()
        self._pitch = pitch
        self._at = 0

    async def recv(self) -> av.AudioFrame:
        silent: Any = await super().recv()
        t = (self._at + np.arange(silent.samples)) / silent.sample_rate
        self._at += silent.samples
        samples = (12_000 * np.sin(2 * np.pi * self._pitch * t)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.pts, frame.sample_rate = silent.pts, silent.sample_rate
        frame.time_base = fractions.Fraction(1, silent.sample_rate)
        return frame


def sings(peer: Peer, pitch: float) -> Peer:
    peer.pc.getTransceivers()[0].sender.replaceTrack(Tone(pitch))
    return peer


async def hears(peer: Peer, seconds: float) -> np.ndarray[Any, Any]:
    """All voices that come to this peer together, as samples between -1 and 1, mono at 48 kHz."""

    async def one(track: Any) -> np.ndarray[Any, Any]:
        got: list[np.ndarray[Any, Any]] = []
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                frame = await asyncio.wait_for(track.recv(), left)
            except TimeoutError:
                break
            pixels = frame.to_ndarray().reshape(-1, len(frame.layout.channels)).mean(axis=1)
            got.append(pixels / 32768)
        return np.concatenate(got) if got else np.zeros(0)

    tracks = [slot.receiver.track for slot in peer.audio_slots]
    voices = await asyncio.gather(*map(one, tracks))
    length = round(seconds * RATE)
    return sum((np.pad(voice[:length], (0, max(0, length - len(voice)))) for voice in voices), np.zeros(length))


def power(sound: np.ndarray[Any, Any], pitch: float) -> float:
    """At this pitch (Goertzel's sum, by Hann windows of 100 ms), as a share of full scale."""
    size = RATE // 10
    whole = sound[: len(sound) // size * size].reshape(-1, size) * np.hanning(size)
    wave = np.exp(-2j * np.pi * pitch * np.arange(size) / RATE)
    return float(np.mean(np.abs(whole @ wave) ** 2)) / size**2


def louder_db(one: float, other: float) -> float:
    return 10 * float(np.log10(max(one, 1e-15) / max(other, 1e-15)))


async def test_nobody_but_its_hearer_receives_a_whisper(here: Bureau) -> None:
    """Decoded: a supervisor's 1 kHz is in what the agent hears and 40 dB down in what everybody else does, who hear 400 Hz."""
    session = await here.api.session()
    customer = await here.sits(
        (await here.api.place(session))["token"], Peer("customer", send=(), audio_slots=3, video_slots=0)
    )
    agent = await here.sits(await here.enter(session, here.api.agent), Peer("agent", send=(), audio_slots=3, video_slots=0))
    singer = sings(Peer("expert", send=("audio",), audio_slots=3, video_slots=0), 400)
    expert = await here.sits((await here.api.place(session, "expert"))["token"], singer, "microphone")
    whisperer = sings(Peer("supervisor", send=("audio",), audio_slots=3, video_slots=0), 1000)
    boss = await here.sits(await here.enter(session, here.api.supervisor), whisperer, "microphone")
    boss_two_token = (await here.account("second", "supervisor"))[1]
    watcher = await here.sits(await here.enter(session, boss_two_token), Peer("watcher", send=(), audio_slots=3, video_slots=0))
    await boss.say("supervise", mode="whisper", to=agent.id)
    await agent.told("whispers", by=boss.id, to=agent.id)
    await agent.shows(boss.id, "microphone")
    for seat in (customer, agent, boss, watcher):
        await seat.shows(expert.id, "microphone")
    people = {"customer": customer, "agent": agent, "expert": expert, "supervisor": boss, "watcher": watcher}
    sounds = dict(zip(people, await asyncio.gather(*(hears(seat.peer, 2.0) for seat in people.values())), strict=True))
    whisper = {name: power(sound, 1000) for name, sound in sounds.items()}
    control = {name: power(sound, 400) for name, sound in sounds.items()}
    for name in ("customer", "expert", "supervisor", "watcher"):
        assert louder_db(whisper["agent"], whisper[name]) >= 40, (name, whisper)
    for name in ("customer", "agent", "supervisor", "watcher"):
        assert louder_db(control[name], control["agent"]) > -6, (name, control)
        assert louder_db(control[name], control["expert"]) >= 40, (name, control)  # nobody hears themselves
    assert abs(louder_db(whisper["agent"], control["agent"])) < 12, (whisper, control)

    await boss.say("participant.hold", participant=customer.id, held=True)  # and a hold beside it changes nothing of that
    await customer.until(lambda page: not any(who for who, _ in page.slots()))
    await hears(customer.peer, 0.5)  # what had come before the hold
    held, ear = await asyncio.gather(hears(customer.peer, 1.0), hears(agent.peer, 1.0))
    assert power(held, 1000) + power(held, 400) < 1e-9
    assert louder_db(power(ear, 1000), whisper["agent"]) > -6


async def watched(seat: Seat, mid: str, seen: list[tuple[float, str]], until: Callable[[], bool]) -> None:
    """When each decoded picture of this slot came, and whose colour it has."""
    async with asyncio.timeout(DEADLINE_S):
        while not until():
            colour = colour_of(await seat.peer.frame(mid))
            seen.append((time.monotonic(), "red" if near(colour, RED) else "blue" if near(colour, BLUE) else "other"))


async def test_a_cold_hand_over_leaves_the_customers_connection_as_it_is(here: Bureau) -> None:
    session = await here.api.session()
    agent = await here.sits(
        await here.enter(session, here.api.agent), Peer("agent", colour=RED, video_slots=1), "microphone", "camera"
    )
    customer = await here.sits(
        (await here.api.place(session))["token"], Peer("customer", send=("audio",), video_slots=2), "microphone"
    )
    mid = await customer.shows(agent.id, "camera")
    voice = await customer.shows(agent.id, "microphone")
    seen: list[tuple[float, str]] = []
    done = lambda: [whose for _, whose in seen[-30:]] == ["blue"] * 30  # noqa: E731
    watching = asyncio.create_task(watched(customer, mid, seen, done))
    colleague, token = await here.account("ben")
    desk = await here.desk(token)
    await agent.say("handover.offer", to=colleague, warm=False, note="a loan")
    await desk.told("handover.offered")
    await desk.say("handover.answer", session=session, accepted=True)
    taken = await desk.told("handover.taken")
    successor = await here.sits(taken["token"], Peer("ben", colour=BLUE, video_slots=1), "microphone", "camera")
    await customer.told("handover", state="done")
    await watching
    assert customer.slots()[successor.id, "camera"] == mid
    assert await customer.shows(successor.id, "microphone") == voice
    switch = next(i for i, (_, whose) in enumerate(seen) if whose == "blue")
    assert "red" not in [whose for _, whose in seen[switch:]]
    assert len([one for one in customer.bodies if one["type"] == "media.answer"]) == 1
    assert not [one for one in customer.bodies if one["type"] == "media.lost"]
    assert customer.peer.pc.connectionState == "connected"
    await agent.until(lambda page: page.bye == "handed_over")
    await customer.told("participant.left", participant=agent.id, reason="handed_over")
    assert {who for who, _ in customer.slots() if who} == {successor.id}
    gaps = [b[0] - a[0] for a, b in (*pairwise(seen[switch - 1 : switch + 1]), *pairwise(seen[-60:]))]
    quick_or_skip(max(gaps) <= GAP_S, gaps)


async def test_in_a_warm_hand_over_the_customer_receives_nothing(here: Bureau) -> None:
    """And the two who talk hear each other, not the customer; afterwards the colleague alone."""
    session = await here.api.session()
    agent = await here.sits(
        await here.enter(session, here.api.agent), Peer("agent", video_slots=0, send=("audio",)), "microphone"
    )
    customer = await here.sits(
        (await here.api.place(session))["token"], Peer("customer", video_slots=0, send=("audio",)), "microphone"
    )
    await customer.shows(agent.id, "microphone")
    colleague, token = await here.account("ben")
    desk = await here.desk(token)
    await agent.say("handover.offer", to=colleague, warm=True)
    await desk.told("handover.offered")
    await desk.say("handover.answer", session=session, accepted=True)
    taken = await desk.told("handover.taken")
    await customer.until(lambda page: not any(who for who, _ in page.slots()))
    successor = await here.sits(taken["token"], Peer("ben", video_slots=0, send=("audio",)), "microphone")
    before = customer.peer.packets  # what had been on its way has arrived
    await agent.shows(successor.id, "microphone")
    await successor.shows(agent.id, "microphone")
    assert (customer.id, "microphone") not in successor.slots()
    await agent.told("handover", state="here")
    await heard(successor, 50)
    assert customer.peer.packets == before
    await agent.say("handover.complete")
    await agent.until(lambda page: page.bye == "handed_over")
    await customer.shows(successor.id, "microphone")
    await successor.shows(customer.id, "microphone")
    assert not [who for who, _ in customer.slots() if who == agent.id]
    await heard(customer, 20)


async def heard(seat: Seat, packets: int) -> None:
    """So many packets more come to them."""
    goal = seat.peer.packets + packets
    track = seat.peer.audio_slots[0].receiver.track
    async with asyncio.timeout(DEADLINE_S):
        while seat.peer.packets < goal:
            await track.recv()


Way = Callable[[Bureau, str, Seat, Seat, dict[str, str]], Awaitable[Any]]


async def _removed(here: Bureau, session: str, agent: Seat, target: Seat, more: dict[str, str]) -> None:
    await agent.say("participant.remove", participant=target.id)


async def _removed_over_rest(here: Bureau, session: str, agent: Seat, target: Seat, more: dict[str, str]) -> None:
    await here.api.delete(f"/sessions/{session}/participants/{target.id}", token=here.api.supervisor)


async def _invitation(here: Bureau, session: str, agent: Seat, target: Seat, more: dict[str, str]) -> None:
    await here.api.delete(f"/sessions/{session}/invitations/{more['invitation']}", token=here.api.agent)


async def _disabled(here: Bureau, session: str, agent: Seat, target: Seat, more: dict[str, str]) -> None:
    await here.api.delete(f"/staff/{more['staff']}", token=here.api.supervisor)


async def _signed_out(here: Bureau, session: str, agent: Seat, target: Seat, more: dict[str, str]) -> None:
    await here.api.delete("/login", token=more["desk"])


async def _consent(here: Bureau, session: str, agent: Seat, target: Seat, more: dict[str, str]) -> None:
    await target.say("consent.set", scope="microphone", decision="withdrawn", wording="w", language="en")


@pytest.mark.parametrize(
    ("way", "bye"),
    [
        (_removed, "removed"),
        (_removed_over_rest, "removed"),
        (_invitation, "revoked"),
        (_disabled, "removed"),
        (_signed_out, "revoked"),
        (_consent, ""),
    ],
    ids=lambda one: one.__name__.strip("_") if callable(one) else one or "stays",
)
async def test_rights_that_end_cut_the_media_within_a_second(here: Bureau, way: Way, bye: str) -> None:
    """Packets at a subscriber of whose rights ended, and at theirs: none a second after it was said; everybody else goes on."""
    session = await here.api.session()
    quiet: dict[str, Any] = {"send": ("audio",), "video_slots": 0, "audio_slots": 3}
    agent = await here.sits(await here.enter(session, here.api.agent), Peer("agent", **quiet), "microphone")
    more: dict[str, str] = {}
    if way in (_disabled, _signed_out):
        more["staff"], more["desk"] = await here.account("cat", "supervisor")
        token = await here.enter(session, more["desk"])
    else:
        made = await here.api.invitation(session, "expert")
        more["invitation"] = made["id"]
        body = {"secret": made["link"].rpartition("/")[2], "name": "e"}
        token = (await here.api.post("/invitations/redeem", body)).json["token"]
    target = await here.sits(token, Peer("target", **quiet), "microphone")
    if way in (_disabled, _signed_out):
        await target.say("supervise", mode="join")
    customer = await here.sits((await here.api.place(session))["token"], Peer("customer", **quiet), "microphone")
    await customer.shows(target.id, "microphone")
    await customer.shows(agent.id, "microphone")
    await heard(customer, 50)
    assert len(customer.peer.came) == 2
    said = time.monotonic()
    await way(here, session, agent, target, more)
    await customer.until(lambda page: (target.id, "microphone") not in page.slots())
    if bye:
        await target.until(lambda page: page.bye == bye)
    until = time.monotonic() + REVOKED_S
    while time.monotonic() < until:
        await heard(customer, 10)
    last = sorted(times[-1] for times in customer.peer.came.values())
    await heard(customer, 10)
    again = sorted(times[-1] for times in customer.peer.came.values())
    assert again[0] == last[0] < last[1] < again[1]  # the other voice goes on
    own = max(times[-1] for times in target.peer.came.values()) if bye else said
    quick_or_skip(max(last[0], own) - said <= REVOKED_S, (last[0] - said, own - said))
