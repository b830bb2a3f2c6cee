"""Words in a picture. SHELL: Pillow, and it looks for a font of this machine.

Pillow brings a font of Latin letters. A name it cannot write is written with the machine's own Chinese font, looked for in the usual places
(or named by whoever exports); where there is none that has every letter, something else is written instead that says who it is:
never a row of boxes. Nothing is downloaded, and no font is part of Tongping.
"""

import hashlib
import sys
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Alpha: TypeAlias = NDArray[np.uint8]
"""How much of each pixel is covered, 0 to 255: rows, columns."""

_Font: TypeAlias = ImageFont.FreeTypeFont
MAX_LETTERS = 80

FAMILIES = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "NotoSansSC-Regular.otf",
    "NotoSansSC-Regular.ttf",
    "SourceHanSansSC-Regular.otf",
    "SourceHanSansCN-Regular.otf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "DroidSansFallback.ttf",
    "NotoSerifCJK-Regular.ttc",
    "uming.ttc",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "STHeiti Medium.ttc",
    "Arial Unicode.ttf",
    "msyh.ttc",
    "simhei.ttf",
    "simsun.ttc",
    "DejaVuSans.ttf",
    "LiberationSans-Regular.ttf",
)
"""Fonts with Chinese letters, the best to read first; the last two at least have accents."""


def _folders() -> list[Path]:
    if sys.platform == "win32":
        return [Path("C:/Windows/Fonts")]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), Path.home() / "Library/Fonts"]
    return [
        Path("/usr/share/fonts"),
        Path("/usr/local/share/fonts"),
        Path.home() / ".local/share/fonts",
        Path.home() / ".fonts",
    ]


def find_font(folders: list[Path] | None = None) -> Path | None:
    """The first of ``FAMILIES`` that is installed."""
    there: dict[str, Path] = {}
    for folder in _folders() if folders is None else folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in (".ttc", ".ttf", ".otf"):
                there.setdefault(path.name.lower(), path)
    return next((there[name.lower()] for name in FAMILIES if name.lower() in there), None)


class Lettering:
    """``font``: a file with more letters than Pillow's own; None for those only. Raises ValueError when it is none."""

    def __init__(self, font: Path | None) -> None:
        self.font = font
        if font is not None:
            try:
                ImageFont.truetype(str(font), 16)
            except OSError:
                raise ValueError(f"{font} is no font that can be read") from None
        self.line = lru_cache(maxsize=256)(self._line)

    def named(self) -> dict[str, str]:
        """For the manifest: which file drew the words."""
        if self.font is None:
            return {"name": "Pillow's own"}
        return {"name": self.font.name, "sha256": hashlib.sha256(self.font.read_bytes()).hexdigest()}

    @lru_cache(maxsize=64)  # noqa: B019 - as long as the export
    def _sized(self, size: int) -> tuple[_Font, ...]:
        own = ImageFont.load_default(size)
        assert isinstance(own, ImageFont.FreeTypeFont)
        return (own,) if self.font is None else (own, ImageFont.truetype(str(self.font), size))

    def writable(self, words: str) -> str | None:
        """The same without what is no letter and no font has (emoji), and without accents where it must be; None when a letter is missing."""
        words = "".join(each for each in unicodedata.normalize("NFC", words) if unicodedata.category(each)[0] != "C").strip()
        words = words[:MAX_LETTERS]
        for font in self._sized(24):
            if all(_has(font, each) for each in set(words)):
                return words or None
        last = self._sized(24)[-1]
        kept = "".join(
            each
            if _has(last, each)
            else "".join(part for part in unicodedata.normalize("NFD", each) if unicodedata.category(part) != "Mn")
            for each in words
            if _has(last, each) or unicodedata.category(each)[0] in "LMN"
        ).strip()
        return kept if kept and all(_has(last, each) for each in set(kept)) else None

    def _line(self, words: str, size: int, width: int) -> Alpha:
        """One line of writable words, at most ``width`` pixels wide: shortened with dots where it must be."""
        font = next(
            (each for each in self._sized(size) if all(_has(each, letter) for letter in set(words))), self._sized(size)[-1]
        )
        shown = words
        while font.getlength(shown) > width and len(shown) > 1:
            shown = shown.removesuffix("...")[:-1] + "..."
            if len(shown) <= 4:
                break
        ascent, descent = font.getmetrics()
        image = Image.new("L", (max(1, int(font.getlength(shown)) + 2), ascent + descent))
        ImageDraw.Draw(image).text((1, 0), shown, fill=255, font=font)
        return np.asarray(image)[:, :width].copy()


@lru_cache(maxsize=4096)
def _has(font: _Font, letter: str) -> bool:
    """Whether the font has the letter: what it has not looks like what no font has."""
    if letter.isspace():
        return True
    return _look(font, letter) != _look(font, "\U0010fffe")


def _look(font: _Font, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)


def initials(name: str) -> str:
    """One or two letters for who shows no picture: of a Chinese name its first character."""
    words = [word for word in name.split() if word[0].isalnum()]
    if not words:
        return name[:1].upper()
    if ord(words[0][0]) > 0x2E7F:
        return words[0][0]
    return (words[0][0] + (words[-1][0] if len(words) > 1 and ord(words[-1][0]) < 0x2E80 else "")).upper()
