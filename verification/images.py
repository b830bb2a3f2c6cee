"""Pictures that strangers send, read without believing them.

The header is read first (``verification.headers``): what is too large, of an unknown kind, cut short, animated or more than a picture is refused before
a single pixel is decoded, and the decoder is handed the picture without its metadata. JPEG, PNG, WebP by Pillow; HEIC by pi-heif, where it is installed.
"""

import warnings
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from verification.errors import ImageRefused
from verification.headers import Header, look
from verification.headers.common import broken, refuse, truncated
from verification.reasons import ReasonCode
from verification.types import Picture

MIB = 1 << 20
BEHIND_TRANSPARENT = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Limits:
    """``max_bytes`` of the file; ``max_pixels`` = width × height; ``max_side`` and ``min_side`` in pixels.

    ``memory_bytes``: what decoding and reducing it may take at the most, by its header (``Header.cost``); so much has room beside a pack's models in a worker
    of 512 MiB. ``work_side``: a picture whose longer side is more is reduced to it, as early as its format allows; no check needs more.
    """

    max_bytes: int = 10 * MIB
    max_pixels: int = 30_000_000
    memory_bytes: int = 180_000_000
    max_side: int = 12_000
    min_side: int = 64
    work_side: int = 2560


DEFAULT_LIMITS = Limits()
DOCUMENT_LIMITS = Limits(memory_bytes=190_000_000)
"""Beside the models that read documents, in a worker of 576 MiB: 24 megapixels of HEIC as telephones write it and of JPEG, which may have 30 at half its size."""


def read(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Picture:
    """The picture, upright (EXIF orientation applied), without its metadata. Raises ``ImageRefused``; its code is a ``ReasonCode``."""
    if len(data) > limits.max_bytes:
        refuse(ReasonCode.IMAGE_TOO_LARGE, f"the picture has more than {limits.max_bytes} bytes")
    header = look(data)
    pixels, longer = header.width * header.height, max(header.width, header.height)
    halved = header.cost_halved is not None and (longer >= 2 * limits.work_side or pixels * header.cost > limits.memory_bytes)
    cost = header.cost_halved if halved and header.cost_halved is not None else header.cost
    most = min(limits.max_pixels, int(limits.memory_bytes / cost))
    if pixels > most or longer > limits.max_side:
        refuse(
            ReasonCode.IMAGE_TOO_MANY_PIXELS,
            f"the picture is longer than {limits.max_side} pixels or has more than {most}, as many as pictures of its kind may have",
        )
    if min(header.width, header.height) < limits.min_side:
        refuse(ReasonCode.IMAGE_TOO_SMALL, f"the picture is narrower than {limits.min_side} pixels")
    return _upright(_decode(header, limits.work_side, halved=halved), header.orientation)


def _decode(header: Header, work_side: int, *, halved: bool = False) -> Picture:
    """RGB, not turned yet. A decoder's every complaint is a refusal. ``halved``: the decoder leaves out every other row and column at least."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            if header.format == "HEIF":
                return _heic(header, work_side)
            with Image.open(BytesIO(header.clean), formats=(header.format,)) as image:
                if image.size != (header.width, header.height):
                    broken("the picture is not as large as it says")
                if halved:
                    across, down = _fitted(image.size, work_side)
                    image.draft(image.mode, (min(across, image.width // 2), min(down, image.height // 2)))
                image.load()
                return _rgb(image, work_side)
    except ImageRefused:
        raise
    except Exception as failed:  # whatever the decoders of four formats raise
        if "truncated" in str(failed):
            truncated()
        broken("the picture cannot be decoded")


def _heic(header: Header, work_side: int) -> Picture:
    try:
        import cv2  # beside pi-heif, or not at all
        import pi_heif
    except ImportError:
        refuse(ReasonCode.IMAGE_FORMAT_UNKNOWN, "HEIC is not read here")
    pi_heif.options.DECODE_THREADS = 1
    pi_heif.options.THUMBNAILS = pi_heif.options.AUX_IMAGES = pi_heif.options.DEPTH_IMAGES = False
    decoded = pi_heif.open_heif(BytesIO(header.clean))
    if decoded.size[0] * decoded.size[1] > header.width * header.height:
        broken("the picture is not as large as it says")
    pixels = np.asarray(decoded)  # as they lie in the decoder, which is let go when they are reduced
    if max(decoded.size) > work_side:
        pixels = cv2.resize(pixels, _fitted(decoded.size, work_side), interpolation=cv2.INTER_AREA)
    if pixels.shape[2:] == (3,):
        return np.array(pixels, np.uint8)
    return _rgb(Image.fromarray(pixels), work_side)


def _fitted(size: tuple[int, int], longest: int) -> tuple[int, int]:
    scale = min(1.0, longest / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _rgb(image: Image.Image, work_side: int) -> Picture:
    if image.mode.startswith("I;16"):
        image = _upper_eight(image)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    if max(image.size) > work_side:
        image = image.resize(_fitted(image.size, work_side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (*BEHIND_TRANSPARENT, 255)), image)
    return np.asarray(image.convert("RGB"))


def _upper_eight(image: Image.Image) -> Image.Image:
    """Of 16 bits of grey; some rows at a time, since each step is a copy."""
    grey = np.empty((image.height, image.width), np.uint8)
    for top in range(0, image.height, 256):
        rows = np.asarray(image.crop((0, top, image.width, min(top + 256, image.height))))
        grey[top : top + 256] = rows >> 8
    return Image.fromarray(grey)


def _upright(picture: Picture, orientation: int) -> Picture:
    """EXIF 2.32, 4.6.4 A: where row 0 and column 0 of the file stand in the picture."""
    if orientation in {5, 6, 7, 8}:
        picture = picture.transpose(1, 0, 2)
    if orientation in {2, 3, 6, 7}:
        picture = picture[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        picture = picture[::-1]
    return np.ascontiguousarray(picture)
