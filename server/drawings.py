"""The processes that draw images of customers' pages anew: one for each."""

import logging
import sys

from server.cobrowse.assets import MOST_GIVEN_BYTES
from server.one_shot import LONGEST_S, OneShot

log = logging.getLogger(__name__)
MODULE = "server.cobrowse.drawing"
MOST_WAITING = 64
"""Beyond it an image is left out: it stays blank in that document."""
_HEAD = 200


class Drawings:
    """``command``: of another process than ours, for tests."""

    def __init__(self, command: tuple[str, ...] = (), *, longest_s: float = LONGEST_S) -> None:
        command = command or (sys.executable, "-m", MODULE)
        self._process = OneShot("drawing", command, most_bytes=MOST_GIVEN_BYTES + _HEAD, longest_s=longest_s)
        self._waiting = 0

    async def draw(self, data: bytes) -> bytes | None:
        """None: it is no picture, or there is no room for it now."""
        if self._waiting >= MOST_WAITING:
            return None
        self._waiting += 1
        try:
            status, answer = await self._process.run(data)
        except OSError:
            status, answer = 1, b""
        finally:
            self._waiting -= 1
        head, line, made = answer.partition(b"\n")
        if status or not line:
            log.warning("an image was not drawn", extra={"status": status})
            return None
        self._process.held(head.decode("ascii", "replace").split())
        is_webp = made[:4] == b"RIFF" and made[8:12] == b"WEBP" and len(made) <= MOST_GIVEN_BYTES
        return made if is_webp else None
