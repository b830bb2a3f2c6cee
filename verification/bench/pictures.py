"""Pictures of 640 × 480 that a comparison is measured with, as the JPEG files that a camera would send. SHELL.

Drawn faces are no faces to a detector, so real ones are needed: a folder of the operator's, or one portrait in the public domain (NASA's of Eileen Collins,
which scikit-image brings), cut out in several ways.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 640, 480
QUALITY = 90
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


def of_folder(folder: Path, count: int, *, ending: str = "") -> list[bytes]:
    """Up to ``count`` of the folder's pictures, spread evenly over their names, each fitted into 640 × 480. ``ending``: of their names without the
    suffix. Raises OSError."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.stem.endswith(ending))
    chosen = [files[at] for at in sorted({int(at) for at in np.linspace(0, len(files) - 1, min(count, len(files)))})]
    return [as_jpeg(Image.open(path)) for path in chosen]


def of_one_portrait(count: int) -> list[bytes]:
    """The same face in ``count`` places and sizes. Empty where scikit-image is not there."""
    try:
        from skimage import data
    except ImportError:
        return []
    portrait = Image.fromarray(data.astronaut())
    found = []
    for number in range(count):
        side = 200 + 24 * (number % 6)
        left, top = 224 - side * 0.5 + 9 * (number % 5 - 2), 110 - side * 0.45 + 7 * (number % 3)
        box = (max(0.0, left - side / 6), max(0.0, top), left + side * 7 / 6, max(0.0, top) + side)
        found.append(as_jpeg(portrait.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, box)))
    return found


def as_jpeg(image: Image.Image) -> bytes:
    """Fitted into 640 × 480 with grey where it has another shape."""
    image = image.convert("RGB")
    if image.size != (WIDTH, HEIGHT):
        scale = min(WIDTH / image.width, HEIGHT / image.height)
        small = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
        image = Image.new("RGB", (WIDTH, HEIGHT), (127, 127, 127))
        image.paste(small, ((WIDTH - small.width) // 2, (HEIGHT - small.height) // 2))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
