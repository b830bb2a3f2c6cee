"""Identity documents that nobody was ever given, drawn with Pillow, and photographs of them. Never a real document.

Laid out like the real ones as far as a reader cares; machine readable zones stand in DejaVu Sans Mono, as OCR-B is not free.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tests.support import zones
from verification.documents.reading import CARD, PAGE
from verification.documents.resident_id import check_character
from verification.types import Picture

CJK = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
CJK_BOLD = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc")
MONO = Path("/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf")
_SIMPLIFIED = 2
INK, LABEL = (28, 28, 32), (60, 110, 160)
MM = CARD[0] / 85.60


def resident_number(first17: str = "11010519900307123") -> str:
    return first17 + check_character(first17)


@dataclass(frozen=True)
class Person:
    """As printed on the front."""

    name: str = "张小明"
    sex: str = "男"
    ethnicity: str = "汉"
    birth: tuple[int, int, int] = (1990, 3, 7)
    address: tuple[str, ...] = ("北京市朝阳区样本路88号", "样本小区6号楼3单元502室")
    number: str = resident_number()


@cache
def _font(path: Path, size: int, index: int = 0) -> ImageFont.FreeTypeFont:
    if not path.is_file():
        pytest.skip(f"the font {path.name} is not installed: make setup")
    return ImageFont.truetype(str(path), size, index=index)


class _Sheet:
    """Places in millimetres."""

    def __init__(self, size: tuple[int, int], paper: tuple[int, int, int]) -> None:
        self.image = Image.new("RGB", size, paper)
        self.pen = ImageDraw.Draw(self.image)
        for at in range(0, size[0] + size[1], 26):  # a faint guilloche
            self.pen.arc((at - 300, -200, at + 300, size[1] + 200), 60, 300, fill=tuple(max(0, part - 9) for part in paper))

    def text(
        self, x: float, y: float, text: str, height: float, *, bold: bool = False, fill: tuple[int, int, int] = INK
    ) -> None:
        """Left end and middle of the line; ``height`` of the type."""
        font = _font(CJK_BOLD if bold else CJK, round(height * MM), _SIMPLIFIED)
        self.pen.text((x * MM, y * MM), text, fill=fill, font=font, anchor="lm")

    def spaced(self, x: float, y: float, text: str, width: float, height: float) -> None:
        """Characters of equal pitch over ``width``."""
        font = _font(MONO, round(height * MM))
        for at, character in enumerate(text):
            self.pen.text(((x + (at + 0.5) * width / len(text)) * MM, y * MM), character, fill=INK, font=font, anchor="mm")

    def portrait(self, x: float, y: float, width: float, height: float, face: Picture | None) -> None:
        box = tuple(round(value * MM) for value in (x, y, x + width, y + height))
        if face is None:
            self.pen.rectangle(box, fill=(205, 212, 220))
            return
        picture = Image.fromarray(face)
        side = min(picture.width, picture.height * width / height)
        top = min(picture.height - side * height / width, picture.height * 0.02)
        left = (picture.width - side) / 2
        crop = picture.resize((box[2] - box[0], box[3] - box[1]), box=(left, top, left + side, top + side * height / width))
        self.image.paste(crop, box[:2])

    @property
    def picture(self) -> Picture:
        return np.array(self.image)


def front(person: Person | None = None, *, face: Picture | None = None) -> Picture:
    """Of a resident identity card."""
    person = person or Person()
    sheet = _Sheet(CARD, (222, 233, 236))
    for y, label, text in ((9.5, "姓名", person.name), (17.5, "性别", person.sex)):
        sheet.text(6.0, y, label, 2.9, fill=LABEL)
        sheet.text(14.5, y, text, 3.6 if label == "姓名" else 3.2)
    sheet.text(23.5, 17.5, "民族", 2.9, fill=LABEL)
    sheet.text(31.5, 17.5, person.ethnicity, 3.2)
    sheet.text(6.0, 25.0, "出生", 2.9, fill=LABEL)
    year, month, day = person.birth
    for x, text, fill in (
        (14.5, str(year), INK), (23.0, "年", LABEL), (28.0, str(month), INK), (32.5, "月", LABEL), (37.0, str(day), INK),
        (41.5, "日", LABEL),
    ):  # fmt: skip
        sheet.text(x, 25.0, text, 3.0, fill=fill)
    sheet.text(6.0, 32.5, "住址", 2.9, fill=LABEL)
    for at, line in enumerate(person.address):
        sheet.text(14.5, 32.5 + 4.2 * at, line, 3.1)
    sheet.text(6.0, 47.5, "公民身份号码", 2.9, fill=LABEL)
    sheet.spaced(29.0, 47.5, person.number, 46.0, 3.6)
    sheet.portrait(58.5, 7.5, 22.0, 29.0, face)
    return sheet.picture


def back(issuer: str = "北京市公安局朝阳分局", begins: str = "2016.05.09", ends: str = "2036.05.09") -> Picture:
    """Of a resident identity card. ``ends``: or 长期."""
    sheet = _Sheet(CARD, (226, 230, 226))
    sheet.pen.ellipse((5 * MM, 5 * MM, 21 * MM, 21 * MM), fill=(196, 60, 52))
    sheet.text(27.0, 9.5, "中华人民共和国", 5.4, bold=True)
    sheet.text(30.0, 19.0, "居民身份证", 7.0, bold=True)
    sheet.text(20.0, 39.0, "签发机关", 2.9, fill=LABEL)
    sheet.text(35.0, 39.0, issuer, 3.2)
    sheet.text(20.0, 46.0, "有效期限", 2.9, fill=LABEL)
    sheet.text(35.0, 46.0, f"{begins}-{ends}", 3.2)
    return sheet.picture


def td1(lines: tuple[str, ...] | None = None, *, face: Picture | None = None) -> Picture:
    """The back of an identity card of the size of a bank card."""
    sheet = _Sheet(CARD, (228, 226, 214))
    sheet.text(6.0, 6.0, "UTOPIA · IDENTITY CARD · SPECIMEN", 2.8, bold=True)
    sheet.text(6.0, 14.0, "Place of birth  ZENITH", 2.4)
    sheet.text(6.0, 19.0, "Authority  CITY OF ZENITH", 2.4)
    if face is not None:
        sheet.portrait(66.0, 5.0, 16.0, 21.0, face)
    for at, line in enumerate(lines or zones.td1()):
        sheet.spaced(4.0, 33.5 + 6.4 * at, line, 77.6, 3.5)
    return sheet.picture


PRINTED = ("ERIKSSON", "ANNA MARIA")
"""As the zones of ``tests/support/zones.py`` have them."""


def td2(lines: tuple[str, ...] | None = None, *, face: Picture | None = None, names: tuple[str, str] = PRINTED) -> Picture:
    """``names``: as printed for people."""
    size = round(105 * MM), round(74 * MM)
    sheet = _Sheet(size, (232, 222, 216))
    sheet.text(36.0, 8.0, "UTOPIA IDENTITY CARD", 3.6, bold=True)
    for at, line in enumerate((*names, "12 AUG 1974", "15 APR 2032")):
        sheet.text(36.0, 18.0 + 7 * at, line, 3.0)
    sheet.portrait(6.0, 14.0, 26.0, 34.0, face)
    for at, line in enumerate(lines or zones.td2()):
        sheet.spaced(5.0, 60.0 + 6.4 * at, line, 94.0, 3.5)
    return sheet.picture


def passport(lines: tuple[str, ...] | None = None, *, face: Picture | None = None, names: tuple[str, str] = PRINTED) -> Picture:
    """The page with the portrait. ``names``: as printed for people."""
    sheet = _Sheet(PAGE, (236, 228, 220))
    sheet.text(40.0, 7.0, "PASSPORT  护照", 4.0, bold=True)
    sheet.text(90.0, 7.0, "UTOPIA", 4.0, bold=True)
    for at, line in enumerate((*names, "UTOPIAN", "12 AUG 1974", "F     ZENITH", "15 APR 2032")):
        sheet.text(42.0, 18.0 + 7.5 * at, line, 3.2)
    sheet.portrait(6.0, 14.0, 31.0, 40.0, face)
    for at, line in enumerate(lines or zones.td3()):
        sheet.spaced(5.0, 72.0 + 7.0 * at, line, 115.0, 3.7)
    return sheet.picture


def printed(text: str, *, lines: int, height: float) -> Picture:
    """A card with nothing but ``text``, so many times, as high as it says in millimetres."""
    sheet = _Sheet(CARD, (230, 235, 236))
    for line in range(1, lines + 1):
        sheet.text(1.5, 53.98 * line / (lines + 1), text, height)
    return sheet.picture


def bank_card() -> Picture:
    """Of the right size, and no identity document."""
    sheet = _Sheet(CARD, (36, 74, 120))
    sheet.text(6.0, 9.0, "样本银行 SPECIMEN BANK", 4.4, bold=True, fill=(240, 240, 240))
    sheet.pen.rounded_rectangle((8 * MM, 18 * MM, 20 * MM, 27 * MM), 12, fill=(212, 180, 96))
    sheet.text(8.0, 34.0, "6222 0200 0000 0000 017", 5.4, fill=(240, 240, 240))
    sheet.text(8.0, 46.0, "VALID THRU 12/31   ZHANG XIAOMING", 3.2, fill=(240, 240, 240))
    return sheet.picture


# ---- photographs


def table(width: int, height: int, *, seed: int = 1, cluttered: bool = False) -> Picture:
    """Dark wood; ``cluttered``: papers, pens and boxes on it, none of the shape of a card."""
    rng = np.random.default_rng(seed)
    grain = cv2.resize(rng.normal(0, 9, (height // 3, 12)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    wood = np.array((92, 66, 48), np.float32) + grain[..., None]
    picture = np.ascontiguousarray(np.clip(wood, 0, 255).astype(np.uint8))
    if cluttered:
        for _ in range(14):
            centre = (float(rng.integers(0, width)), float(rng.integers(0, height)))
            length = float(rng.integers(width // 6, width // 2))
            shape = (centre, (length, length * float(rng.uniform(0.04, 0.16))), float(rng.uniform(0, 180)))
            colour = tuple(int(part) for part in rng.integers(30, 225, 3))
            cv2.fillPoly(picture, [cv2.boxPoints(shape).astype(np.int32)], colour, cv2.LINE_AA)
        for _ in range(8):
            centre_px = (int(rng.integers(0, width)), int(rng.integers(0, height)))
            cv2.circle(picture, centre_px, int(rng.integers(20, width // 12)), tuple(int(part) for part in rng.integers(20, 230, 3)), -1, cv2.LINE_AA)  # fmt: skip
    return picture


@dataclass(frozen=True)
class Shot:
    """How a photograph is taken. ``fill``: share of the picture's width that the card takes; ``tilt``: of perspective, 0 straight above; ``lean``
    and ``turn``: degrees, ``turn`` of 0, 90, 180 or 270; ``shift``: of its middle, shares of the picture; ``blur``: sigma in pixels; ``glare``: radius
    of a lamp's reflection over the card's width; ``light``: factor."""

    size: tuple[int, int] = (1600, 1200)
    fill: float = 0.72
    tilt: float = 0.0
    lean: float = 0.0
    turn: int = 0
    shift: tuple[float, float] = (0.0, 0.0)
    blur: float = 0.8
    glare: float = 0.0
    glare_at: tuple[float, float] = (0.45, 0.45)
    light: float = 1.0
    noise: float = 2.5
    cluttered: bool = False
    seed: int = 1


def corners(card: Picture, shot: Shot) -> NDArray[np.float32]:
    """(4, 2): where the card's own top left, top right, bottom right and bottom left come to lie."""
    width, height = shot.size
    ratio = card.shape[0] / card.shape[1]
    half = np.array([(-1, -ratio), (1, -ratio), (1, ratio), (-1, ratio)], np.float64) * shot.fill * width / 2
    angle = np.deg2rad(shot.lean + shot.turn)
    flat = half @ np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    away = 1 + shot.tilt * (flat[:, 1] / height * -0.6 + flat[:, 0] / width * 0.35)
    middle = np.array([(0.5 + shot.shift[0]) * width, (0.5 + shot.shift[1]) * height])
    return (flat / away[:, None] + middle).astype(np.float32)


def photograph(card: Picture, shot: Shot | None = None) -> Picture:
    shot = shot or Shot()
    below = table(*shot.size, seed=shot.seed, cluttered=shot.cluttered)
    return finished(laid(card, shot, below.astype(np.float32)), shot)


def laid(card: Picture, shot: Shot, below: NDArray[np.float32]) -> NDArray[np.float32]:
    """On whatever lies there already."""
    width = shot.size[0]
    card = card.copy()
    if shot.glare:
        rows, columns = np.mgrid[0 : card.shape[0], 0 : card.shape[1]]
        away = np.hypot(columns - shot.glare_at[0] * card.shape[1], rows - shot.glare_at[1] * card.shape[0])
        lamp = np.clip(1.6 - away / (shot.glare * card.shape[1]), 0, 1)[..., None]
        card = np.clip(card + 255 * lamp, 0, 255).astype(np.uint8)
    mask = np.zeros(card.shape[:2], np.uint8)
    radius = round(3.18 * MM)
    inner = card.shape[1] - radius, card.shape[0] - radius
    cv2.rectangle(mask, (radius, 0), (inner[0], card.shape[0]), 255, -1)
    cv2.rectangle(mask, (0, radius), (card.shape[1], inner[1]), 255, -1)
    for centre in ((radius, radius), (inner[0], radius), (radius, inner[1]), inner):
        cv2.circle(mask, centre, radius, 255, -1)
    source = np.array([(0, 0), (card.shape[1], 0), (card.shape[1], card.shape[0]), (0, card.shape[0])], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(source, corners(card, shot))
    over = cv2.warpPerspective(mask, matrix, shot.size, flags=cv2.INTER_LINEAR)[..., None].astype(np.float32) / 255
    scale = max(1.0, card.shape[1] / (shot.fill * width))
    soft = cv2.GaussianBlur(card, (0, 0), 0.45 * scale) if scale > 1.2 else card
    on_top = cv2.warpPerspective(soft, matrix, shot.size, flags=cv2.INTER_LINEAR)
    shadow = cv2.GaussianBlur(np.roll(over[..., 0], (6, 8), (0, 1)), (0, 0), 9)[..., None]
    dimmed = below * (1 - np.float32(0.45) * shadow)
    return np.asarray(dimmed * (1 - over) + on_top.astype(np.float32) * over, np.float32)


def finished(picture: NDArray[np.float32], shot: Shot) -> Picture:
    """As the camera takes it: its blur, its noise, its light."""
    if shot.blur:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), shot.blur), np.float32)
    noise = np.random.default_rng(shot.seed).standard_normal(picture.shape, np.float32)
    noise *= shot.noise
    noise += picture * np.float32(shot.light)
    return np.ascontiguousarray(np.clip(noise, 0, 255).astype(np.uint8))


def jpeg(picture: Picture, quality: int = 88) -> bytes:
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()
