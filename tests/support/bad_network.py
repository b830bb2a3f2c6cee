"""People in one session, each behind a line of the impairer, and what their browsers say of what they receive."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Browser

from tests.support.bank import Bank
from tests.support.browser import Seat, all_leave
from tests.support.impairer import ANNOUNCED, Impairer, Line, through_a_line
from tests.support.ports import free_udp_port
from tests.support.server_process import CALLS_ONLY, ServerProcess

SMALL_WINDOW = {"width": 640, "height": 480}
"""Drawing large pictures without a graphics card would take the time that the codecs need."""
SAMPLE = """async () => {
    const out = { at_ms: performance.timeOrigin + performance.now(), in: [], out: [] };
    for (const peer of window.__tp.peers) {
        if (peer.connectionState === "closed") continue;
        const stats = await peer.getStats();
        for (const stat of stats.values()) {
            if (stat.type === "inbound-rtp") {
                const slot = window.__tp.slots.get(stat.mid);
                if (!slot?.source) continue;
                out.in.push({
                    mid: stat.mid, participant: slot.participant, source: slot.source, held: slot.held ?? false,
                    packets: stat.packetsReceived ?? 0, lost: stat.packetsLost ?? 0, bytes: stat.bytesReceived ?? 0,
                    decoded: stat.framesDecoded ?? 0, received: stat.framesReceived ?? 0, dropped: stat.framesDropped ?? 0,
                    keys: stat.keyFramesDecoded ?? 0, height: stat.frameHeight ?? 0, width: stat.frameWidth ?? 0,
                    freezes: stat.freezeCount ?? 0, frozen_s: stat.totalFreezesDuration ?? 0,
                    paused_s: stat.totalPausesDuration ?? 0,
                    nacks: stat.nackCount ?? 0, plis: stat.pliCount ?? 0, resent: stat.retransmittedPacketsReceived ?? 0,
                    samples: stat.totalSamplesReceived ?? 0, concealed: stat.concealedSamples ?? 0,
                    silent: stat.silentConcealedSamples ?? 0, fec: stat.fecPacketsReceived ?? 0, late: stat.packetsDiscarded ?? 0,
                    gaps: stat.concealmentEvents ?? 0,
                    decoder: stat.decoderImplementation ?? "", buffer_s: stat.jitterBufferDelay ?? 0, at_ms: stat.timestamp,
                });
            } else if (stat.type === "outbound-rtp" && stat.packetsSent) {
                out.out.push({
                    mid: stat.mid, rid: stat.rid ?? "", kind: stat.kind, bytes: stat.bytesSent, frames: stat.framesEncoded ?? 0,
                    height: stat.frameHeight ?? 0, limit: stat.qualityLimitationReason ?? "", active: stat.active ?? true,
                    plis: stat.pliCount ?? 0, nacks: stat.nackCount ?? 0, resent: stat.retransmittedPacketsSent ?? 0,
                    target_bps: stat.targetBitrate ?? 0,
                });
            }
        }
    }
    return out;
}"""
# The longest time without a further decoded frame, looked at 20 times a second for so long.
STANDSTILL = """async ([source, for_ms]) => {
    const row = async () => {
        for (const peer of window.__tp.peers) {
            if (peer.connectionState === "closed") continue;
            for (const stat of (await peer.getStats()).values()) {
                if (stat.type === "inbound-rtp" && window.__tp.slots.get(stat.mid)?.source === source) return stat.framesDecoded ?? 0;
            }
        }
        return 0;
    };
    const begun = performance.now();
    let longest = 0, last = begun, frames = await row();
    while (performance.now() - begun < for_ms) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        const now = await row();
        if (now !== frames) { frames = now; last = performance.now(); }
        longest = Math.max(longest, performance.now() - last);
    }
    return longest / 1000;
}"""
# Lets a test say something over the page's own socket: the page's numbers move up by one each time, and back in what comes.
# What a test said of sizes is what the page says from then on.
SAY_MORE = """(() => {
    const Socket = window.WebSocket;
    const own = [];
    let socket = null, last = 0, said = null;
    window.WebSocket = class extends Socket {
        constructor(...settings) {
            super(...settings);
            own.length = last = 0;
            socket = this;
        }
        addEventListener(name, listener, ...more) {
            if (name !== "message") return super.addEventListener(name, listener, ...more);
            return super.addEventListener(name, (event) => listener(this.unshifted(event)), ...more);
        }
        set onmessage(listener) { super.onmessage = (event) => listener(this.unshifted(event)); }
        unshifted(event) {
            const frame = JSON.parse(event.data);
            if (typeof frame.ack !== "number" || frame.t === "welcome") return event;
            frame.ack -= own.filter((one) => one <= frame.ack).length;
            return { data: JSON.stringify(frame) };
        }
        send(text) {
            const frame = JSON.parse(text);
            if (frame.t === "msg") last = frame.seq += own.length;
            if (frame.body?.type === "receive.set" && said) frame.body = said;
            super.send(JSON.stringify(frame));
        }
        say(body) {
            own.push(last += 1);
            if (body.type === "receive.set") said = body;
            Socket.prototype.send.call(this, JSON.stringify({ t: "msg", seq: last, ack: 0, body }));
        }
    };
    window.__say = (body) => socket.say(body);
})();"""


@dataclass(frozen=True, slots=True)
class Received:
    """What one page received of one source over a stretch of time, by its own statistics."""

    fps: float
    frozen_s: float
    gaps: float
    """Share of the sound that was made up because packets were missing."""
    silent: float
    """The part of it that was silence."""
    bps: float
    height: int
    lost: int
    resent: int
    dropped: int
    undecoded: int
    """Frames that were complete and neither decoded nor dropped."""
    plis: int
    keys: int
    fec: int
    seconds: float

    def text(self) -> str:
        picture = (
            f"{self.fps:.1f}/s {self.height}p frozen {self.frozen_s:.2f} s"
            if self.height
            else f"gaps {self.gaps:.2%} silent {self.silent:.2%}"
        )
        return (
            f"{picture} {self.bps / 1000:.0f} kbit/s lost {self.lost} resent {self.resent} dropped {self.dropped} "
            f"undecoded {self.undecoded} plis {self.plis} keys {self.keys} fec {self.fec}"
        )


@dataclass(slots=True)
class Person:
    seat: Seat
    line: Line

    async def sample(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.seat.page.evaluate(SAMPLE)
        return found

    async def elapse(self, seconds: float) -> None:
        """Wait so long by the page's clock."""
        begun = (await self.sample())["at_ms"]
        script = f"async (until_ms) => {{ const s = await ({SAMPLE})(); return s.at_ms >= until_ms; }}"
        await self.seat.until(script, begun + seconds * 1000, seconds + 30)


def between(before: dict[str, Any], after: dict[str, Any], source: str) -> Received:
    """What came of the first source of this name that is there in both samples."""
    rows = {row["mid"]: row for row in before["in"] if row["source"] == source}
    pairs = [(rows[row["mid"]], row) for row in after["in"] if row["source"] == source and row["mid"] in rows]
    assert pairs, f"no {source} in both: {before} {after}"
    old, new = pairs[0]
    seconds = (new["at_ms"] - old["at_ms"]) / 1000
    samples = new["samples"] - old["samples"]
    return Received(
        fps=(new["decoded"] - old["decoded"]) / seconds,
        frozen_s=new["frozen_s"] - old["frozen_s"],
        gaps=(new["concealed"] - old["concealed"]) / samples if samples else 0.0,
        silent=(new["silent"] - old["silent"]) / samples if samples else 0.0,
        bps=(new["bytes"] - old["bytes"]) * 8 / seconds,
        height=new["height"],
        lost=new["lost"] - old["lost"],
        resent=new["resent"] - old["resent"],
        dropped=new["dropped"] - old["dropped"],
        undecoded=(new["received"] - old["received"]) - (new["decoded"] - old["decoded"]) - (new["dropped"] - old["dropped"]),
        plis=new["plis"] - old["plis"],
        keys=new["keys"] - old["keys"],
        fec=new["fec"] - old["fec"],
        seconds=seconds,
    )


async def measure(people: Sequence[Person], seconds: float) -> list[dict[str, Received]]:
    """What each of them received meanwhile: their picture and their voice."""
    before = [await person.sample() for person in people]
    await people[0].elapse(seconds)
    after = [await person.sample() for person in people]
    return [
        {source: between(old, new, source) for source in ("camera", "microphone")}
        for old, new in zip(before, after, strict=True)
    ]


@dataclass(slots=True)
class Call:
    session: str
    server: ServerProcess
    bank: Bank
    impairer: Impairer
    people: list[Person]

    async def nobody_dropped(self) -> None:
        present = [one["state"] for one in await self.bank.participants(self.session) if one["state"] != "left"]
        assert present == ["active"] * len(self.people), present


def behind_the_impairer(folder: Path, port: int, **settings: str) -> ServerProcess:
    """A server with one media worker, whose browsers are sent to the impairer."""
    return ServerProcess(
        folder,
        TONGPING_MEDIA_WORKERS="1",
        TONGPING_MEDIA_BIND_ADDRESSES="127.0.0.1",
        TONGPING_MEDIA_ANNOUNCED_ADDRESSES=ANNOUNCED,
        TONGPING_MEDIA_UDP_PORT_BASE=str(port),
        **{**CALLS_ONLY, **settings},
    )


@asynccontextmanager
async def on_lines(
    browser: Browser, folder: Path, *names: str, seed: int = 16, scripts: Sequence[str] = (), **settings: str
) -> AsyncIterator[Call]:
    """So many experts (who come in by one click) in a session of their own server, each behind a line of their own.

    ``scripts`` run in every page before its own.
    """
    port = free_udp_port("127.0.0.1", *(f"127.0.0.{n}" for n in range(2, 3 + len(names))))
    with behind_the_impairer(folder, port, **settings) as server:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http,
            Impairer(port, seed=seed) as impairer,
        ):
            bank = Bank(http, server.url)
            await bank.sign_in(*server.agent)
            opened = await bank.open()
            people: list[Person] = []
            try:
                for name in names:
                    line = await impairer.line(name)
                    seat = await Seat.take(browser, viewport=SMALL_WINDOW)
                    people.append(Person(seat, line))
                    for script in (through_a_line(line.host), *scripts):
                        await seat.context.add_init_script(script)
                    invitation = {"role": "expert", "name": name}
                    link = (await bank.call("POST", f"/sessions/{opened.id}/invitations", invitation))["link"]
                    await seat.come_as_expert(link if link.startswith("http") else server.url + link)
                if len(people) > 1:
                    for person in people:
                        await person.seat.receives("expert", "camera")
                        await person.seat.receives("expert", "microphone")
                yield Call(opened.id, server, bank, impairer, people)
            finally:
                await all_leave(*(person.seat for person in people))
