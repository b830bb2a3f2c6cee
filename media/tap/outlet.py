"""A media worker's end of the way to a decoder: a Unix socket that is never waited for. SHELL."""

import contextlib
import socket
from collections import deque

from media.tap.errors import TapRefused

MAX_WAITING = 512
"""Records kept where the socket takes no more: a large key frame and what follows it. One more is dropped."""
SEND_BUFFER_BYTES = 1 << 20


class SocketOutlet:
    """``media.relay.tap.Outlet``. Raises TapRefused(``busy``) where nobody listens at ``path``."""

    def __init__(self, path: str) -> None:
        self.alive = True
        self._waiting: deque[bytes] = deque()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            self._socket.connect(path)
        except (OSError, ValueError) as error:
            self._socket.close()
            raise TapRefused("busy", "no decoder listens there") from error

    def send(self, record: bytes) -> bool:
        if not self.alive:
            return False
        if self._waiting:
            self.flush()
        if not self._waiting:
            try:
                self._socket.send(record)
            except BlockingIOError:
                pass
            except OSError:
                self._lose()
                return False
            else:
                return True
        if len(self._waiting) >= MAX_WAITING:
            return False
        self._waiting.append(record)
        return True

    def flush(self) -> None:
        while self._waiting and self.alive:
            try:
                self._socket.send(self._waiting[0])
            except BlockingIOError:
                return
            except OSError:
                self._lose()
                return
            self._waiting.popleft()

    def _lose(self) -> None:
        self.alive = False
        self._waiting.clear()

    def close(self) -> None:
        """What waits is not sent any more."""
        self._lose()
        with contextlib.suppress(OSError):
            self._socket.close()
