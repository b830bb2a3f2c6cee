"""A person before the camera of a real Chromium: frames of a real clip on a canvas that stands in place of the camera (``canvas_camera.js``), each action
played once the page was asked for it, in the light of the colours that the page shows.

The picture goes the whole way: coded by the browser, relayed, tapped, decoded, looked at. Simulated are what ``stand_in.py`` simulates too: the order of the
clip's parts, the light on the face, the unrest of a hand. The clip is shown a little smaller than it is, before more of its own wall, so that its person
has room to come closer.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from server.transactions.cues import Card
from tests.support import cards, packs
from tests.support.browser import Seat
from tests.support.stand_in import ROLES, Cut
from tests.support.takes import CLIPS, need
from verification.challenge.script import Action
from verification.faces.analyser import Analyser
from verification.types import Picture

SCRIPT = Path(__file__).with_name("canvas_camera.js").read_text(encoding="utf-8")
SMALLER = 0.78
"""So large is the clip in the picture; come closer, and it is as large as it was."""
WALL = 0.16
"""Of the clip's width to either side, and of its height above, is its own border once more."""
QUALITY = 90
FACE_EVERY = 4
"""Frames from one look for the face to the next; between them it is where a straight line says."""


@dataclass(frozen=True, slots=True)
class Footage:
    """Every frame that may be played, as JPEG in base64, and where the face is in it (x0, y0, x1, y1), by its number in the clip. ``fps``: of the clip."""

    name: str
    fps: float
    frames: dict[int, str]
    faces: dict[int, tuple[float, float, float, float]]
    hold: list[int]
    cuts: dict[Action, list[int]]
    calm: Picture = field(repr=False)
    portrait: bytes = field(repr=False)
    """``calm``, a frame, as JPEG: what a bank has of this customer."""


def _frames(cut: Cut, every: int) -> list[int]:
    """A role counts every second frame of quick clips."""
    way = list(range(every * cut.first, every * cut.last + 1))
    return way + way[-2::-1] if cut.back else way


def _walled(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    side, above = round(WALL * width), round(2 * WALL * height)
    return np.asarray(cv2.copyMakeBorder(picture, above, 0, side, side, cv2.BORDER_REPLICATE), np.uint8)


def _jpeg(picture: Picture) -> bytes:
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(picture[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done
    return data.tobytes()


@cache
def footage(name: str = "lp_d3") -> Footage:
    """Skips where the clips are not there."""
    need()
    role = ROLES[name]
    with av.open(str(CLIPS / f"{name}.mp4")) as container:
        stream = container.streams.video[0]
        fps = float(stream.average_rate or 25)
        every = 2 if fps > 20 else 1
        hold, cuts = _frames(role.hold, every), {action: _frames(cut, every) for action, cut in role.cuts.items()}
        wanted = {*hold, *(index for way in cuts.values() for index in way)}
        pictures = {
            index: np.ascontiguousarray(frame.to_ndarray(format="rgb24"))
            for index, frame in enumerate(container.decode(stream))
            if index in wanted
        }
    walled = {index: _walled(picture) for index, picture in pictures.items()}
    return Footage(
        name=name,
        fps=fps,
        frames={index: base64.b64encode(_jpeg(picture)).decode() for index, picture in walled.items()},
        faces=_faces(walled),
        hold=hold + hold[-2:0:-1],
        cuts=cuts,
        calm=pictures[hold[0]],
        portrait=_jpeg(pictures[hold[0]]),
    )


def _faces(pictures: dict[int, Picture]) -> dict[int, tuple[float, float, float, float]]:
    analyser = Analyser(packs.open_pack())
    order = sorted(pictures)
    seen: dict[int, tuple[float, ...]] = {}
    for at, index in enumerate(order):
        if at % FACE_EVERY == 0 or index == order[-1] or index - order[at - 1] > 1:
            for face in analyser.detect(pictures[index])[:1]:
                seen[index] = (face.box.x0, face.box.y0, face.box.x1, face.box.y1)
    known = sorted(seen)
    sides = [np.interp(order, known, [seen[index][side] for index in known]) for side in range(4)]
    return {
        index: (float(sides[0][at]), float(sides[1][at]), float(sides[2][at]), float(sides[3][at]))
        for at, index in enumerate(order)
    }


@dataclass(frozen=True, slots=True)
class Actor:
    """``answers``: does what the page is asked, ``react_s`` after it; else plays ``blindly`` one after the other, as a recording does. ``declines``: so
    many questions at the start they leave alone. ``light``, ``spill``: how much of the light of the face and of what is behind it comes from the screen. ``cards``: photographs (JPEG) of what they
    hold before the camera, by what is asked for (``Card``). ``late_s``: that long later than the page shows it, as displays and cameras take (under 50 ms in all
    is no light that came from a screen). ``pauses_s``: so long no picture is made, once, soon after the first question."""

    footage: Footage
    answers: bool = True
    react_s: float = 0.7
    light: float = 0.12
    spill: float = 0.006
    late_s: float = 0.12
    unrest_px: float = 3.0
    declines: int = 0
    pauses_s: float = 0.0
    cards: dict[str, bytes] = field(default_factory=dict)
    blindly: Sequence[Action] = (Action.TURN_LEFT, Action.NOD, Action.BLINK, Action.TURN_RIGHT, Action.OPEN_MOUTH)

    def recorded(self) -> "Actor":
        """The same person, played."""
        return replace(self, answers=False, light=0.0)

    def with_card(self) -> "Actor":
        """They have a resident identity card of their own with them."""
        height, width = self.footage.calm.shape[:2]
        x0, y0, x1, y1 = self.footage.faces[self.footage.hold[0]]
        x0, x1, y0, y1 = (
            x0 - round(WALL * width),
            x1 - round(WALL * width),
            y0 - round(2 * WALL * height),
            y1 - round(2 * WALL * height),
        )
        high = 1.7 * (y1 - y0)
        wide, middle, top = high * 22 / 29, (x0 + x1) / 2, max(0.0, y0 - 0.35 * (y1 - y0))
        face = self.footage.calm[round(top) : round(top + high), max(0, round(middle - wide / 2)) : round(middle + wide / 2)]
        sides = {Card.SHOW: cards.front(face=np.ascontiguousarray(face)), Card.TURN_OVER: cards.back()}
        shot = cards.Shot(size=(1280, 960), fill=0.7, lean=3.0, tilt=0.1)
        return replace(self, cards={side.value: cards.jpeg(cards.photograph(card, shot), 92) for side, card in sides.items()})

    def told(self) -> str:
        """For ``canvas_camera.js``."""
        one = self.footage
        return json.dumps(
            {
                "fps": one.fps, "frames": one.frames, "faces": one.faces, "hold": one.hold, "cuts": one.cuts, "scale": SMALLER,
                "closer": 1 / SMALLER, "answers": self.answers, "react_s": self.react_s, "light": self.light, "spill": self.spill, "late_s": self.late_s,
                "unrest_px": self.unrest_px, "declines": self.declines, "pauses_s": self.pauses_s,
                "cards": {action: base64.b64encode(picture).decode() for action, picture in self.cards.items()}, "blindly": list(self.blindly),
            }
        )  # fmt: skip


async def before(seat: Seat, actor: Actor) -> None:
    """From the next page on this person is before this seat's camera."""
    told = actor.told()
    await seat.context.expose_function("__clip", lambda: told)
    await seat.context.add_init_script(SCRIPT)


async def cues(seat: Seat, kind: str = "ask") -> list[dict[str, Any]]:
    """What the page was told to show until now."""
    heard: list[dict[str, Any]] = await seat.evaluate("(kind) => window.__tp.cues.filter(({ cue }) => cue === kind)", kind)
    return heard
