"""Everything that a worker loads at its first use: decoders of pictures and clips, and each model once. SHELL.

When a worker is confined no file can be opened any more, a module's no more than a stranger's.
"""

import base64
import gc
from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from verification.engine import clips, memory, messages
from verification.engine.desk import Desk

HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAAAAAERA"
    "AAEAAQAAAAABegABAAAAAAAAAFEAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA1mlwcnAAAAC3aXBjbwAA"
    "AHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoBAgYWW6"
    "kkprm4CGgwIAAAMAMgAAAwACEGIAAQAHRAHBcrAiQAAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAACAAAAAYAAAABBwaXhpAAAAAAMICAgA"
    "AAAXaXBtYQAAAAAAAAABAAEEgQIDBAAAAFltZGF0AAAATSgBr1j1rObE+f/XM/8U0ui/oZPzyZ13U/CMYCZ1E+lc266S4pivduO/BJyTdLx7+q26kW+a"
    "Ho74fr+qlRGHVvzIaoR4AA1T4ZNM2xqy"
)
"""128 × 96 pixels; nothing here writes this format."""


def warm_up(made: Desk) -> None:
    """Raises what a model raises that does not work."""
    cv2.setNumThreads(1)  # one thread is what its pictures may take
    noise = np.random.default_rng(1).integers(0, 256, (240, 320, 3), np.uint8)
    Image.init()
    for file in (*(_encoded(noise, kind) for kind in ("JPEG", "PNG", "WEBP")), HEIC):
        made.answer(messages.Liveness(0, (len(file),)), (file,))
        made.answer(messages.Liveness(0, (len(file),)), (file[: len(file) // 2],))  # what refusing takes
    clips.warm_up()
    made.try_models(noise)
    made.answer(messages.Analyse(0, (noise.size,), 320, 240), (noise.tobytes(),))
    made.answer(messages.MakeStill(0, (noise.size,), 320, 240), (noise.tobytes(),))
    messages.encode(messages.Pong(0))
    gc.collect()
    gc.freeze()
    memory.give_back()


def _encoded(picture: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]", kind: str) -> bytes:
    file = BytesIO()
    Image.fromarray(picture).save(file, kind)
    return file.getvalue()
