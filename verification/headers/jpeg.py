"""JPEG without its pixels: ITU-T T.81 annex B. Baseline, extended and progressive, Huffman-coded, 8 bits. Sans I/O."""

import re
import struct

from verification.headers.common import MOST_PARTS, Header, broken, no_foreigner, only_padding, refuse, truncated
from verification.headers.exif import exif_orientation
from verification.reasons import ReasonCode

MOST_SCANS = 32
"""Each costs a decoder a walk over the whole picture. Encoders write about ten."""
FEWEST_BITS_PER_BLOCK = 1
"""Of 8 × 8 pixels of brightness: nothing shorter can be coded."""

_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
WHOLE, WHOLE_REDUCED = 4.0, 7.4
HALVED, HALVED_REDUCED = 1.1, 4.3
"""Bytes a pixel of the picture that the decoder gives, and with what reducing it takes; the same with every other row and column left out."""
_FRAMES = {0xC0, 0xC1, 0xC2}
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}


def read_jpeg(data: bytes) -> Header:
    at, kept = 2, [b"\xff\xd8"]
    size: tuple[int, int] | None = None
    orientation, scans, coded, pictures = 1, 0, 0, False
    held, components, in_pieces = 0.0, 0, False
    for _ in range(MOST_PARTS):
        if at + 2 > len(data):
            truncated()
        if data[at] != 0xFF:
            broken("a JPEG marker is missing")
        marker = data[at + 1]
        if marker == 0xFF:  # fill bytes before a marker (B.1.1.2)
            at += 1
            continue
        if marker == 0xD9:
            break
        if marker in {0x00, 0x01, 0xD8} or 0xD0 <= marker <= 0xD7:
            broken("a JPEG marker stands where none may")
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 2 + length
        if at + 4 > len(data) or end > len(data):
            truncated()
        if length < 2:
            broken("a JPEG segment has no length")
        body = data[at + 4 : end]
        if marker in _OTHER_FRAMES:
            refuse(ReasonCode.IMAGE_FORMAT_UNKNOWN, "this kind of JPEG is not read")
        if marker in _FRAMES:
            if size is not None:
                broken("a JPEG has two frames")
            size, held, components = _frame(body)
            in_pieces = marker == 0xC2
        if 0xE0 <= marker <= 0xEF or marker == 0xFE:
            no_foreigner(body)
            if marker == 0xE1 and body.startswith(b"Exif\x00\x00"):
                orientation = exif_orientation(body[6:])
            pictures = pictures or (marker == 0xE2 and body.startswith(b"MPF\x00"))
            if (marker == 0xEE and body.startswith(b"Adobe")) or (
                marker == 0xE0 and body.startswith(b"JFIF\x00") and length <= 16
            ):
                # says how colours are coded
                kept.append(data[at:end])
            at = end
            continue
        if marker == 0xDA:
            scans += 1
            in_pieces = in_pieces or scans > 1 or body[:1] != bytes([components])
            if size is None or scans > MOST_SCANS:
                broken("the scans of a JPEG make no sense")
            found = _MARKER_IN_SCAN.search(data, end)
            if found is None:
                truncated()
            coded += found.start() - end
            end = found.start()
        kept.append(data[at:end])
        at = end
    else:
        broken("a JPEG has too many segments")
    if size is None or not scans:
        broken("a JPEG without a picture")
    _rest(data[at + 2 :], pictures)
    width, height = size
    if coded * 8 < FEWEST_BITS_PER_BLOCK * ((width + 7) // 8) * ((height + 7) // 8):
        truncated()
    kept.append(b"\xff\xd9")
    held = held if in_pieces else 0.0
    return Header(
        "JPEG",
        width,
        height,
        orientation,
        b"".join(kept),
        cost=max(held + WHOLE, WHOLE_REDUCED),
        cost_halved=max(held + HALVED, HALVED_REDUCED),
    )


def _frame(body: bytes) -> tuple[tuple[int, int], float, int]:
    """Width and height of a frame header (B.2.2), how many bytes a pixel its coefficients are, which a decoder holds that is given them in several
    scans, and how many components there are."""
    if len(body) < 6:
        broken("a JPEG frame header is too short")
    precision, height, width, components = struct.unpack(">BHHB", body[:6])
    if precision != 8 or components not in {1, 3, 4}:
        refuse(ReasonCode.IMAGE_FORMAT_UNKNOWN, "this kind of JPEG is not read")
    if len(body) != 6 + 3 * components or not width or not height:
        broken("a JPEG frame header makes no sense")
    sampling = [(factors >> 4, factors & 15) for factors in body[7::3]]
    if not all(1 <= across <= 4 and 1 <= down <= 4 for across, down in sampling):
        broken("a JPEG frame header makes no sense")
    most = max(across for across, _ in sampling) * max(down for _, down in sampling)
    return (width, height), 2 * sum(across * down for across, down in sampling) / most, components


def _rest(rest: bytes, pictures: bool) -> None:
    """After the end of the image: padding, or what cameras add: more pictures (CIPA DC-007) or Samsung's trailer. All of it is dropped."""
    follows = rest.lstrip(b"\x00")
    if b"ftyp" in follows[:8]:
        refuse(ReasonCode.IMAGE_ANIMATED, "a film hides behind the picture")
    if (pictures and follows.startswith(b"\xff\xd8\xff")) or _samsung(rest):
        no_foreigner(rest)
    else:
        only_padding(rest)


def _samsung(rest: bytes) -> bool:
    """Whether it ends with the directory of Samsung's trailer: "SEFH" …, its length, "SEFT"."""
    length = int.from_bytes(rest[-8:-4], "little")
    return rest.endswith(b"SEFT") and 12 <= length <= len(rest) - 8 and rest[-8 - length :].startswith(b"SEFH")
