"""The pages know what the server writes in place of masked words: they hatch it."""

import re
from pathlib import Path

from server.cobrowse.net import MASK

HATCHING = Path(__file__).resolve().parents[4] / "static" / "src" / "replay" / "hatching.ts"


def test_the_replay_hatches_what_the_server_writes() -> None:
    found = re.search(r'export const MASK = "(.+)";', HATCHING.read_text(encoding="utf-8"))
    assert found is not None
    assert found[1] == MASK
