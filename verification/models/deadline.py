"""urllib with one deadline for everything: connecting, the answer's head, redirects and each piece of its body. SHELL.

A socket's own timeout is per piece, so a server that sends a byte now and then is waited for without end, in the head as in the body. Here what is
left of the whole time is set before every read.
"""

import http.client
import io
import socket
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Deadline:
    """``each_s``: for connecting and each read; ``ends``: ``time.monotonic()`` when all is over."""

    each_s: float
    ends: float

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.ends

    def left_s(self) -> float:
        """For the next step. Raises TimeoutError."""
        left = min(self.each_s, self.ends - time.monotonic())
        if left <= 0:
            raise TimeoutError("it takes too long")
        return left


class _TimedReads(io.RawIOBase):
    """A socket's bytes as they come."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._socket = sock
        self._stream = sock.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(self._deadline.left_s())
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _answers(deadline: Deadline) -> type[http.client.HTTPResponse]:
    class TimedResponse(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            self.fp.close()
            self.fp = io.BufferedReader(_TimedReads(sock, deadline))

    return TimedResponse


def _connections(kind: type[http.client.HTTPConnection], deadline: Deadline) -> Callable[..., http.client.HTTPConnection]:
    def made(host: str, **more: Any) -> http.client.HTTPConnection:
        connection = kind(host, **{**more, "timeout": deadline.left_s()})
        connection.response_class = _answers(deadline)  # also of a proxy's answer to CONNECT
        return connection

    return made


class TimedHTTPHandler(urllib.request.HTTPHandler):
    """``http_open`` is asked by urllib for every address of this scheme, redirects too."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_connections(http.client.HTTPConnection, self._deadline), req)


class TimedHTTPSHandler(urllib.request.HTTPSHandler):
    """As above; certificates are checked against the machine's authorities, as ``http.client`` does by itself."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_connections(http.client.HTTPSConnection, self._deadline), req)
