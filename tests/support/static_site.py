"""Serves the built pages over HTTP on a free port, with the policy that the server sends: for stories only, no API behind it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from server.api.pages import REPLAY_HEADERS

DIST = Path(__file__).resolve().parents[2] / "static" / "dist"
POLICY = (
    "default-src 'self'; img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; style-src 'self'; "
    "script-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
OWN_HEADERS = {"/replay.html": REPLAY_HEADERS}


class _Pages(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def end_headers(self) -> None:
        for name, value in OWN_HEADERS.get(self.path, {"Content-Security-Policy": POLICY}).items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a request to the stories is not news."""


@contextmanager
def serve(folder: Path = DIST) -> Iterator[str]:
    """Yields ``http://127.0.0.1:port``; stops serving when left."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *rest: _Pages(*rest, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="static-site")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(timeout=5)
        server.server_close()
