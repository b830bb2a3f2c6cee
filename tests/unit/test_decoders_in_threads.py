"""What threads decode is prepared before there are any: two of them that prepare a type at once end the process (msgspec 0.22)."""

import subprocess
import sys

import pytest

from tests.support.repository import ROOT

FIRST = """
import contextlib, importlib, sys, threading
import msgspec
module = importlib.import_module(sys.argv[1])
sys.setswitchinterval(1e-6)
for _ in range(25):
    importlib.reload(module)
    barrier = threading.Barrier(4)

    def look():
        barrier.wait()
        for _ in range(5):
            with contextlib.suppress(msgspec.MsgspecError):
                eval(sys.argv[2], vars(module))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
"""
"""A module is loaded anew, so that its types are new, and its decoder is used first by four threads at once."""


@pytest.mark.parametrize(
    ("module", "call"),
    [
        (
            "verification.evidence.format",
            """decode_manifest(b'{"schema":1,"case":"a","type":"","created_s":1,"keep_until_s":2,"blobs":[],"facts":""}', "a")""",
        ),
        ("server.erasures", """_LINES.decode(b'{"hash":"","erasure":{}}')"""),
        ("server.erasures", """_what(b'{"id":"a","customer":"b","at":"c"}', {})"""),
        ("server.redeems", """_LINES.decode(b'{"hash":"","redeem":{}}')"""),
        ("server.redeems", """_REDEEMS.decode(b'{"decision":"a","at":"b"}')"""),
        ("media.recording.manifest", """_MANIFESTS.decode(b'{"recording":"a","ending":"x","parts":[{"track":"x"}]}')"""),
        ("media.recording.format", """_HEADERS.decode(b'{"recording":"a","track":"x","part":0}')"""),
    ],
)
def test_the_first_to_decode_may_be_several_threads(module: str, call: str) -> None:
    done = subprocess.run([sys.executable, "-c", FIRST, module, call], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
