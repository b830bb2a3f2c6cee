"""A card before a camera, coded by a sender, through the real relay and a real decoder, read from the pictures of a tap."""

import asyncio
from datetime import date

import av
import numpy as np
import pytest
from aiortc import VideoStreamTrack

from media.tap.client import Frame
from server.documents_shown import LINES
from tests.scenario.test_tap import NONCE, call
from tests.support import analysers, cards, portraits
from verification.documents.clarity import of_frame
from verification.documents.reader import DocumentReader
from verification.documents.reading import DocumentReading, DocumentType
from verification.documents.showing import Sharpest
from verification.types import Picture


class Photographed(VideoStreamTrack):
    """One photograph, ten times a second; the hand that holds it is never still."""

    def __init__(self, picture: Picture) -> None:
        super().__init__()
        self._picture = picture
        self._count = 0

    async def recv(self) -> av.VideoFrame:
        for _ in range(3):
            pts, base = await self.next_timestamp()
        self._count += 1
        moved = self._picture.copy()
        moved[:, : -(1 + self._count % 2)] = self._picture[:, 1 + self._count % 2 :]
        frame = av.VideoFrame.from_ndarray(moved, format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = pts, base
        return frame


def _picture(frame: Frame) -> Picture:
    return np.frombuffer(frame.pixels, np.uint8).reshape(frame.height, frame.width, 3)


@pytest.mark.parametrize("upright", [False, True], ids=["across", "a telephone held upright"])
async def test_a_card_is_read_from_a_tap(upright: bool) -> None:
    size, fill = ((720, 1280), 0.9) if upright else ((1280, 720), 0.6)
    shot = cards.Shot(size=size, fill=fill, blur=0.6, noise=1.0)
    picture = cards.photograph(cards.front(face=portraits.portrait()), shot)
    reader = DocumentReader(analysers.base())
    async with call() as made:
        sender = next(one for one in made.customer.pc.getSenders() if one.kind == "video")
        sender.replaceTrack(Photographed(picture))
        pictures: Sharpest[Picture] = Sharpest(0.8)
        readings: list[DocumentReading] = []
        async with made.taps.open(
            "room", "customer", "camera", nonce=NONCE, fps=10, frames=300, seconds=60, height=LINES
        ) as tap:
            async for frame in tap:
                if (frame.width, frame.height) != size:
                    continue  # of what was sent before
                sharp = of_frame(frame.pixels, frame.width, frame.height)
                best = pictures.offer(sharp, frame.received_at, _picture(frame))
                if best is not None:
                    reading, _ = await asyncio.to_thread(reader.read, best, date(2026, 11, 22))
                    readings.append(reading)
                    if reading.accepted or len(readings) == 20:
                        break
    assert readings[-1].accepted, [one.reasons for one in readings]
    assert readings[-1].type is DocumentType.CN_ID_FRONT
    assert readings[-1].values["number"] == cards.Person().number
