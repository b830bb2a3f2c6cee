"""Reads lines of text off a card: PP-OCR's models, as rapidocr brings them in its package, in sessions of our own.

rapidocr would fetch what it lacks from the network when it is first used. Here it is only given sessions, made from the two files in its
package, whose SHA-256 are written down below; its part is what comes before and after the models. Nothing is ever fetched.
"""

import hashlib
import logging
import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.documents.mrz import ALPHABET, LETTERS
from verification.documents.reading import Line
from verification.documents.zone import Character
from verification.engine.session import Session
from verification.errors import NotInstalled
from verification.types import Picture

DETECTOR = ("PP-OCRv6_det_small.onnx", "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f")
RECOGNISER = ("PP-OCRv6_rec_small.onnx", "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884")
MODELS = hashlib.sha256(bytes.fromhex(DETECTOR[1] + RECOGNISER[1])).hexdigest()
"""Names both: it stands in every reading."""

SHORTER_PX = 512
"""Of the card, for the detector: the smallest type is then 20 pixels high."""
LINE_PX = 48
MOST_LINES = 40
MOST_WIDTH_PX = 2400
"""Of a line 48 pixels high."""
MOST_READ_PX = 32_000
"""Of all lines of a document together: about 2.5 s of a core. Those that are known take 4,000 to 15,000."""


class TooMuch(Exception):
    """More stands on it than on any document that is known."""


class _Settings(dict[str, Any]):
    """What rapidocr reads as a mapping and as an object."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name)


@dataclass(frozen=True, slots=True)
class Region:
    """(4, 2) corners of a line on the card: top left, top right, bottom right, bottom left."""

    corners: NDArray[np.float32]

    @property
    def box(self) -> tuple[float, float, float, float]:
        (x0, y0), (x1, y1) = self.corners.min(0), self.corners.max(0)
        return float(x0), float(y0), float(x1), float(y1)


class Reader:
    """Both models in memory. Not for two threads at a time. Raises PackError: a file that is not there, or not the one that is named."""

    def __init__(self, *, threads: int = 1) -> None:
        spec = find_spec("rapidocr")
        if spec is None or spec.origin is None:
            raise NotInstalled("rapidocr is not installed")
        folder = Path(spec.origin).parent / "models"
        from rapidocr.ch_ppocr_det import TextDetector
        from rapidocr.ch_ppocr_rec import TextRecognizer
        from rapidocr.utils.typings import EngineType

        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        sessions = [
            Session(folder / name, name=name, sha256=sha256, threads=threads, arena=False)
            for name, sha256 in (DETECTOR, RECOGNISER)
        ]
        common = {"engine_type": EngineType.ONNXRUNTIME, "lang_type": "ch"}
        self._detector = TextDetector(
            _Settings(
                common,
                session=sessions[0].runtime,
                limit_side_len=SHORTER_PX,
                limit_type="min",
                mean=[0.5] * 3,
                std=[0.5] * 3,
                thresh=0.3,
                box_thresh=0.5,
                unclip_ratio=1.6,
                use_dilation=True,
                score_mode="fast",
            )
        )
        recogniser = TextRecognizer(
            _Settings(common, session=sessions[1].runtime, rec_batch_num=1, rec_img_shape=[3, LINE_PX, 320])
        )
        self._recogniser = recogniser
        self._session = sessions[1]
        self._left_px = MOST_READ_PX
        self._characters: list[str] = recogniser.postprocess_op.character
        places = {character: place for place, character in enumerate(self._characters)}
        self._zone = np.array([0, *(places[character] for character in ALPHABET)])

    def begin(self) -> None:
        """Another document."""
        self._left_px = MOST_READ_PX

    def regions(self, card: Picture) -> list[Region]:
        """Lines of text, from the top down."""
        shorter = min(card.shape[:2])
        scale = min(1.0, SHORTER_PX / shorter)
        small = cv2.resize(card, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else card
        found = self._detector(np.ascontiguousarray(small[..., ::-1]))
        if found.boxes is None:
            return []
        boxes = np.asarray(found.boxes, np.float32) / np.float32(scale)
        return [Region(box) for box in boxes[:MOST_LINES]]

    def line(self, card: Picture, region: Region) -> Line:
        characters = self.characters(card, region)
        text = "".join(character.text for character in characters)
        sure = float(np.mean([character.sure for character in characters])) if characters else 0.0
        return Line(text, sure, region.box)

    def characters(self, card: Picture, region: Region, *, zone: bool = False) -> list[Character]:
        """``zone``: of a machine readable zone, so none but its 37 characters. Raises TooMuch."""
        crop = _cut_out(card, region)
        ratio = crop.shape[1] / crop.shape[0]
        values = self._recogniser.resize_norm_img(np.ascontiguousarray(crop[..., ::-1]), max(ratio, 320 / LINE_PX))
        self._left_px -= values.shape[2]
        if self._left_px < 0:
            raise TooMuch
        steps = self._session.run(values[None].astype(np.float32))[0][0]
        share = min(1.0, math.ceil(LINE_PX * ratio) / values.shape[2])
        return self._decode(steps[:, self._zone] if zone else steps, ALPHABET if zone else None, share)

    def _decode(self, steps: NDArray[np.float32], alphabet: str | None, share: float) -> list[Character]:
        """Greedy CTC: of each run of one character its surest step; place 0 is none."""
        best = steps.argmax(1)
        sure = steps[np.arange(len(steps)), best]
        letters = np.array([ALPHABET.index(letter) for letter in LETTERS])
        found: list[Character] = []
        begin = 0
        for end in range(1, len(best) + 1):
            if end < len(best) and best[end] == best[begin]:
                continue
            if best[begin]:
                text = alphabet[best[begin] - 1] if alphabet else self._characters[best[begin]]
                at = (begin + end) / 2 / len(best) / share
                letter, letter_sure = "", 0.0
                if alphabet:
                    alike = steps[begin:end, letters + 1].max(0)
                    letter = LETTERS[int(alike.argmax())]
                    letter_sure = float(alike.max() / max(float(alike.sum()), 1e-9))
                found.append(Character(text, float(sure[begin:end].max()), at, letter, letter_sure))
            begin = end
        return found


def _cut_out(card: Picture, region: Region) -> Picture:
    corners = region.corners.astype(np.float32)
    sides = np.linalg.norm(np.roll(corners, -1, 0) - corners, axis=1)
    width, height = max(2.0, float(sides[0]), float(sides[2])), max(2.0, float(sides[1]), float(sides[3]))
    size = min(MOST_WIDTH_PX, max(2, round(LINE_PX * width / height))), LINE_PX
    target = np.array([(0, 0), (size[0], 0), size, (0, size[1])], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, target)
    cut = cv2.warpPerspective(card, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.uint8)
