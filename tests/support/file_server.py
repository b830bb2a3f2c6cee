"""A web server of some files that can be made to misbehave: break off, ignore ranges, lead elsewhere, send too much, send a byte now and then.

with FileServer({"a.onnx": content}) as server:
    server.break_off_after = 1000
    fetch(f"{server.url}/a.onnx")
    assert server.asked == [("/a.onnx", "bytes=1000-")]
"""

import re
import ssl
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, Self

DRIPS = 400
DRIP_S = 0.02


class FileServer:
    def __init__(self, files: Mapping[str, bytes], *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.files = dict(files)
        self.asked: list[tuple[str, str | None]] = []
        self.break_off_after: int | None = None
        """Bytes of an answer, for one answer."""
        self.ranges = True
        self.wrong_range = False
        self.extra = b""
        """Sent behind each file, and counted in its length."""
        self.leads_to: str | None = None
        self.status: int | None = None
        self.drips: Literal["", "head", "body"] = ""
        """Where it sends a byte each DRIP_S, for eight seconds or until nobody listens any more."""
        self.left_early = 0
        """How many did not wait for the end of that."""

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http{'s' if self._tls else ''}://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _drip(self, request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.0 200 OK\r\n" + (b"X: " if self.drips == "head" else b"Content-Length: 100000\r\n\r\n"))
        try:
            for _ in range(DRIPS):
                request.wfile.write(b"x")
                threading.Event().wait(DRIP_S)
        except OSError:
            self.left_early += 1

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append((request.path, wanted))
        if self.drips:
            self._drip(request)
            return
        content = self.files.get(request.path.rpartition("/")[2])
        if self.leads_to is not None:
            request.send_response(302)
            request.send_header("Location", self.leads_to)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        if self.status is not None or content is None:
            request.send_error(self.status or 404)
            return
        content += self.extra
        first = int(found.group(1)) if self.ranges and wanted and (found := re.fullmatch(r"bytes=(\d+)-", wanted)) else 0
        if first >= len(content):
            request.send_error(416)
            return
        request.send_response(206 if first else 200)
        if first:
            request.send_header("Content-Range", f"bytes {0 if self.wrong_range else first}-{len(content) - 1}/{len(content)}")
        request.send_header("Content-Length", str(len(content) - first))
        request.end_headers()
        sent = content[first:] if self.break_off_after is None else content[first : first + self.break_off_after]
        self.break_off_after = None
        request.wfile.write(sent)
        request.close_connection = True
