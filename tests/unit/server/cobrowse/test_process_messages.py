"""What the server and the sanitiser's process say to each other fits into a frame, and what is nothing of it is refused."""

import pytest

from media import control
from media.errors import ControlError
from server.cobrowse.process_messages import (
    PIECE_CHARS,
    CloseShare,
    Configure,
    Done,
    Failed,
    Heartbeat,
    Look,
    Made,
    Message,
    OpenShare,
    Ready,
    Rules,
    Seen,
    Take,
    decode_command,
    decode_said,
)
from server.cobrowse.rules import MAX_TEXT

WIDEST = "\U00020000" * PIECE_CHARS
COMMANDS = [
    Configure(nodes=7),
    Rules(1, "0" * 64, b"\0" * MAX_TEXT),
    OpenShare(2, "SH_X", "0" * 64, b"k" * 32),
    CloseShare(3, "SH_X"),
    Take(4, "SH_X", 1, WIDEST, False, True),
    Look(5, "SH_X", 1, 2),
]
SAID = [
    Done(1),
    Failed(2, "share"),
    Made(4, WIDEST, True, 2, "transfer", False, True, {"attribute": 3}),
    Seen(5, True, "input", "text", 4, True, False, True, tuple(("div", "") for _ in range(640))),
    Ready(("limits",)),
    Heartbeat(1, 2, 3, 4, 0.5),
]


@pytest.mark.parametrize("message", COMMANDS)
def test_commands_come_as_they_were_given(message: Message) -> None:
    (frame,) = control.FrameReader().feed(control.encode(message))
    assert decode_command(frame) == message


@pytest.mark.parametrize("message", SAID)
def test_answers_come_as_they_were_given(message: Message) -> None:
    (frame,) = control.FrameReader().feed(control.encode(message))
    assert decode_said(frame) == message


@pytest.mark.parametrize(
    "frame", [b"", b"\x80", b"\xc1", b"\x81\xa7message\xa4Done", b"\x82\xa7message\xa4Look\xa7request\x01"]
)
def test_what_is_nothing_of_it_is_refused(frame: bytes) -> None:
    for decode in (decode_command, decode_said):
        with pytest.raises(ControlError):
            decode(frame)
