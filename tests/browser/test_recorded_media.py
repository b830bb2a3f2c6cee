"""A recorded track in a browser's media source: Chromium takes it whole, has no hole in it, and shows what was recorded when it was."""

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from media.recording.play.timeline import open_media, timeline
from media.recording.records import Kind
from tests.scenario.test_export import A, B, C
from tests.support import studio
from tests.support.studio import store_in, tracks_of, write

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PLAY = """
async ([mime, chunks, times]) => {
    if (!MediaSource.isTypeSupported(mime)) return {supported: false};
    const source = new MediaSource();
    const video = document.createElement('video');
    video.muted = true;
    video.src = URL.createObjectURL(source);
    document.body.append(video);
    await new Promise((done) => source.addEventListener('sourceopen', done, {once: true}));
    const buffer = source.addSourceBuffer(mime);
    for (const chunk of chunks) {
        await new Promise((done, failed) => {
            buffer.onupdateend = done;
            buffer.onerror = () => failed(new Error('the browser refuses a chunk'));
            buffer.appendBuffer(Uint8Array.from(atob(chunk), (each) => each.charCodeAt(0)));
        });
    }
    source.endOfStream();
    const ranges = [];
    for (let at = 0; at < buffer.buffered.length; at++) ranges.push([buffer.buffered.start(at), buffer.buffered.end(at)]);
    const canvas = new OffscreenCanvas(32, 32);
    const pen = canvas.getContext('2d', {willReadFrequently: true});
    const light = [];
    for (const at of times) {
        const shown = new Promise((done) => video.requestVideoFrameCallback(done));
        const there = new Promise((done) => video.addEventListener('seeked', done, {once: true}));
        video.currentTime = at;
        await there;
        await shown;
        pen.drawImage(video, 0, 0, 32, 32);
        light.push(pen.getImageData(0, 0, 32, 32).data.filter((_, n) => n % 4 === 1).reduce((sum, each) => sum + each, 0) / 1024);
    }
    return {supported: true, ranges, light, size: [video.videoWidth, video.videoHeight], error: video.error && video.error.message};
}
"""
"""Give the chunks to a media source one after another; then what is buffered, and how light the picture is at some moments."""

PEOPLE = [replace(A, late=0.0), replace(B, skew=0), replace(C, begin=0.0, end=8.0), replace(A, late=0.0, codec="AV1")]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
async def test_chromium_plays_every_codec(browser: Browser, tmp_path: Path, number: int) -> None:
    """VP8, H.264, VP9 and AV1: no hole where the gate was shut, white pictures where there was a clap, also after a jump."""
    person = PEOPLE[number - 1]
    store = store_in(tmp_path)
    tracks = [
        (info, studio.without(records, 3, 5, before=Kind.GATE_SHUT, after=Kind.GATE_OPEN))
        for info, records in tracks_of(person, number)
    ]
    write(store, [*tracks, studio.arrivals([person])])
    key = store.data_key("RE_1")
    found = timeline(store.path("RE_1"), key)
    context = await browser.new_context()
    try:
        page = await context.new_page()
        claps = [clap for clap in person.claps if not 2.8 < clap < 6.2]
        for from_ms in (0, 6_300):
            seen = [clap + person.delay for clap in claps if clap * 1000 > from_ms]
            times = [moment for at in seen for moment in (at + 0.07, at + 0.3)]
            camera = await _played(page, found, f"TR_{number}c", key, from_ms, times)
            assert camera["error"] is None
            assert camera["size"] == list(person.size)
            assert len(camera["ranges"]) == 1
            assert camera["ranges"][0][1] == pytest.approx(8.05, abs=0.15)
            assert [light > 200 for light in camera["light"]] == [True, False] * len(seen)
        voice = await _played(page, found, f"TR_{number}m", key, 0, [])
        assert len(voice["ranges"]) == 1
        assert voice["ranges"][0] == [pytest.approx(0, abs=0.03), pytest.approx(8.05, abs=0.1)]
    finally:
        await context.close()


async def _played(page: Any, found: Any, track: str, key: bytes, from_ms: int, times: list[float]) -> Any:
    media = open_media(found, track, key, from_ms * 1000)
    chunks = [base64.b64encode(chunk).decode() for chunk in media.chunks]
    played = await page.evaluate(PLAY, [media.mime, chunks, times])
    if not played["supported"]:
        pytest.skip(f"this Chromium has no {media.mime}")
    return played
