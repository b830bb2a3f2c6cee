"""A call of two real browsers, recorded and exported: they clap, and the export shows and sounds it at one moment.

Each page's camera is a drawn picture that goes white at the moment at which a tone of its own pitch begins in its microphone. Chromium's capture of
either is some milliseconds late by itself: so the middle of many claps is what counts.
"""

import asyncio
import re
from math import inf
from pathlib import Path
from statistics import median

import pytest
from playwright.async_api import Browser, expect

from media.recording.export import export
from media.recording.export.lettering import Lettering
from media.recording.keyfile import load_ring
from media.recording.store import RecordingStore, Summary
from tests.browser.test_recording import answer, ask_to_record, lit
from tests.scenario.test_export import grid, inside
from tests.support.bank import Bank
from tests.support.browser import Seat, all_leave
from tests.support.call import agent_enters
from tests.support.machine import quick_or_skip
from tests.support.server_process import ServerProcess
from tests.support.studio import clicks, decoded, flashes
from tests.support.watching import APPEARS_MS

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PITCHES = {"agent": 1500, "customer": 700}
EVERY_S = {"agent": 1.1, "customer": 1.3}
CLAPS = 8
MIDDLE_S = 0.060

CLAPPING = """
(() => {
  const native = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
  if (!native) return;
  let made = null;
  const make = () => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
    const pen = canvas.getContext("2d");
    const sound = new AudioContext();
    const out = sound.createMediaStreamDestination();
    const tone = new OscillatorNode(sound, { frequency: __PITCH__ });
    const loud = new GainNode(sound, { gain: 0 });
    tone.connect(loud).connect(out);
    tone.start();
    let white = false;
    let beat = 0;
    setInterval(() => {
      const now = (performance.now() / 1000) % __EVERY__ < 0.2;
      beat += 1;
      pen.fillStyle = now ? "#ffffff" : "#303038";
      pen.fillRect(0, 0, 640, 360);
      pen.fillStyle = "#806040";
      if (!now) pen.fillRect((beat * 5) % 600, 280, 40, 40);
      if (now && !white) {
        loud.gain.setValueAtTime(0.5, sound.currentTime);
        loud.gain.setValueAtTime(0, sound.currentTime + 0.08);
      }
      white = now;
    }, 33);
    return { picture: canvas.captureStream(30).getVideoTracks()[0], voice: out.stream.getAudioTracks()[0] };
  };
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const stream = await native(wanted);
    made ??= make();
    for (const track of stream.getTracks()) {
      stream.removeTrack(track);
      track.stop();
      stream.addTrack((track.kind === "video" ? made.picture : made.voice).clone());
    }
    return stream;
  };
})();
"""


async def clapping(browser: Browser, role: str) -> Seat:
    seat = await Seat.take(browser)
    script = CLAPPING.replace("__PITCH__", str(PITCHES[role])).replace("__EVERY__", str(EVERY_S[role]))
    await seat.context.add_init_script(script)
    return seat


def latest(store: RecordingStore) -> Summary:
    return max(store.list(), key=lambda each: each.started_wall_us or 0)


@pytest.mark.deadline(300)
async def test_the_export_of_a_call_is_in_step(browser: Browser, bank: Bank, server: ServerProcess, tmp_path: Path) -> None:
    opened = await bank.open(customer="Clapping Liu")
    customer, agent = await clapping(browser, "customer"), await clapping(browser, "agent")
    try:
        await agent.sign_in(server.agent_url, *server.agent)
        await agent_enters(agent, session_of="Clapping Liu")
        await customer.come_as_customer(opened.customer_link)
        await agent.receives("customer", "camera")
        await customer.receives("agent", "camera")
        await ask_to_record(agent)
        await lit(customer, "asking")
        await answer(agent, "consent.yes")
        await answer(customer, "consent.yes")
        await lit(customer, "on")
        await expect(agent.page.locator(".light .light-time")).to_have_text(
            re.compile(r"^0:(1[5-9]|[2-5]\d)$"), timeout=APPEARS_MS
        )
        await agent.press("recording.stop")
        await agent.confirm("recording.stop.yes")
        await expect(customer.page.locator(".light")).to_have_count(0, timeout=APPEARS_MS)
        await bank.call("POST", f"/sessions/{opened.id}/end", {})
    finally:
        await all_leave(customer, agent)

    store = RecordingStore(server.data / "recordings", load_ring(str(server.data / "secrets" / "recording.key"), ""))
    async with asyncio.timeout(30):
        while (newest := await asyncio.to_thread(latest, store)).state == "recording":
            pass
    film = tmp_path / "film.webm"
    made = export(store, newest.recording, film, size=(640, 360), fps=30, layout="grid", lettering=Lettering(None))
    frames, sound, _ = decoded(film)
    roles = {each["participant"]: each["role"] for each in made.manifest["participants"]}
    places = grid(*roles)
    middles = {}
    for participant, role in roles.items():
        seen, heard = flashes(frames, inside(places[participant])), clicks(sound, PITCHES[role])
        off = [min((at - one for one in seen), key=abs, default=inf) for at in heard]
        off = [each for each in off if abs(each) < 0.3]
        print(role, "ms:", sorted(round(1000 * each) for each in off))
        middles[role] = (len(off), median(off) if off else inf)
    quick_or_skip(all(many >= CLAPS and abs(middle) <= MIDDLE_S for many, middle in middles.values()), middles)
