"""Draws an image of a customer's page anew, and ends: it holds no key, reaches no network and opens no file. SHELL.

    python -m server.cobrowse.drawing < image > frame

One image, one process: what an image may do to its decoder it does to nothing else. The header is read first, so that a bomb, what is animated, cut short or more
than a picture is refused before a pixel is decoded; the decoder has it without metadata. What comes out is WebP of the pixels alone. The frame is what
held the process, by name and blanks, a line feed, and the image: nothing where it was refused.

The three formats are imported by name: where Pillow has to look for one it imports all that it knows, which takes a quarter of the time of such a process.
"""

import contextlib
import io
import os
import resource
import sys
import warnings

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from verification.engine import confine
from verification.headers import Header, ImageRefused, look

MOST_PIXELS = 4 * 1024 * 1024
MOST_SIDE = 8192
SIDE = 1024
"""Longer ones are reduced to it."""
MOST_BYTES = 512 * 1024
CPU_S = 5
MEMORY_BYTES = 256 << 20
HELD_FILES = 3
_FORMATS = frozenset({JpegImageFile.format, PngImageFile.format, WebPImageFile.format})
_WAYS = ((SIDE, 0), (SIDE, 80), (SIDE // 2, 60))
"""The longer side, and the quality: 0 without loss. The first that is small enough."""
_PART = 1 << 18


def draw(data: bytes) -> bytes:
    """As WebP, its pixels the same where they came without loss; b"": it is refused."""
    try:
        header = look(data)
        small = header.width * header.height <= MOST_PIXELS and max(header.width, header.height) <= MOST_SIDE
        if header.format not in _FORMATS or not small:
            return b""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(header.clean), formats=(header.format,)) as image:
                if image.size != (header.width, header.height):
                    return b""
                image.load()
                plain = image.mode in ("RGB", "L") and "transparency" not in image.info
                pixels = image.convert("RGB" if plain else "RGBA")
    except ImageRefused:
        return b""
    except Exception:  # whatever the decoders of three formats raise
        return b""
    for side, quality in _WAYS[1:] if _lossy(header) else _WAYS:
        if max(pixels.size) > side:
            pixels.thumbnail((side, side), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        pixels.save(out, "WEBP", method=2, lossless=not quality, quality=quality or 30)
        if out.tell() <= MOST_BYTES:
            return out.getvalue()
    return b""


def _lossy(header: Header) -> bool:
    """It came with loss: without any it takes longest and is as a rule larger. RFC 9649 section 2: a WebP's first chunk, or the one behind its header of 18 bytes."""
    return header.format == "JPEG" or (header.format == "WEBP" and b"VP8L" not in (header.clean[12:16], header.clean[30:34]))


def main() -> int:
    left = confine.leave_network()
    data = _all()
    for kind in ("PNG", "JPEG", "WEBP"):  # whatever is imported late is imported now: no file can be opened any more
        out = io.BytesIO()
        Image.new("RGB", (16, 16)).save(out, kind)
        draw(out.getvalue())
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    held = (*left, *confine.confine(HELD_FILES, MEMORY_BYTES))
    made = b""
    with contextlib.suppress(MemoryError):
        made = draw(data)
    rest = memoryview(" ".join(held).encode() + b"\n" + made)
    with contextlib.suppress(OSError):  # nobody listens any more
        while rest:
            rest = rest[os.write(1, rest) :]
    return 0


def _all() -> bytes:
    parts: list[bytes] = []
    while part := os.read(0, _PART):
        parts.append(part)
    return b"".join(parts)


if __name__ == "__main__":
    os._exit(main()) if sys.argv[1:] == [] else sys.exit(2)
