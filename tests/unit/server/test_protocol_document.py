"""``docs/protocol.md`` is the contract: everything that can be on the wire is described there, and nothing else is."""

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from server.domain.model import ConsentScope, LeaveReason
from server.signalling import messages
from server.signalling.messages import CLOSE_NUMBERS, RETRYABLE, CloseCode, ErrorCode
from server.signalling.protocol import Limits

TEXT = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")


def rows(heading: str) -> dict[str, str]:
    """The table rows of a section, by the code in their first cell."""
    section = TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return {found[1]: found[0] for line in section.splitlines() if (found := re.match(r"\| `([a-z_.]+)` \|.*", line))}


def tags(union: object) -> dict[str, type[msgspec.Struct]]:
    return {str(struct.__struct_config__.tag): struct for struct in get_args(union)}


@pytest.mark.parametrize(
    ("heading", "union"),
    [
        ("Messages from the client", messages.ClientBody),
        ("Messages from the server", messages.ServerBody),
        ("Frames", messages.ClientFrame | messages.ServerFrame),
    ],
)
def test_every_message_and_its_fields(heading: str, union: object) -> None:
    described = rows(heading)
    for tag, struct in tags(union).items():
        assert tag in described, tag
        for field in struct.__struct_encode_fields__:
            assert f"`{field}`" in described[tag], f"{tag}.{field}"
    assert set(described) - {code.value for code in ErrorCode} <= set(tags(union)), "something that does not exist"


def test_every_error_code() -> None:
    assert {code.value for code in ErrorCode} <= set(rows("Messages from the server"))


def test_every_close_code() -> None:
    described = rows("How a connection ends")
    assert set(described) == {code.value for code in CloseCode} == {code.value for code in CLOSE_NUMBERS}
    for code, number in CLOSE_NUMBERS.items():
        retry = "yes" if code in RETRYABLE else "no"
        assert described[code.value].startswith(f"| `{code.value}` | {number} | {retry} |"), code


def test_the_snapshot() -> None:
    assert set(rows("The snapshot")) == set(messages.Snapshot.__struct_fields__)


def test_scopes_and_reasons() -> None:
    for word in (*ConsentScope, *LeaveReason):
        assert f"`{word.value}`" in TEXT, word


def test_limits() -> None:
    limits = Limits()
    section = TEXT.split("\n## Limits\n", 1)[1]
    for figure in (
        f"{limits.frame_bytes} bytes; {limits.hello_bytes} before",
        f"{messages.MAX_SDP_BYTES} characters",
        f"within {limits.hello_s:g} s",
        f"| {limits.silence_s:g} s |",
        f"| {limits.keep_s:g} s |",
        f"{limits.frames_per_s:g} a second, {limits.frames_burst:g} at once",
        f"{limits.bytes_per_s:.0f} a second, 1 MiB at once",
        f"| {limits.in_hand};",
        f"| {limits.unacknowledged}, 2 MiB |",
    ):
        assert figure in section, figure
    assert limits.bytes_burst == 1 << 20
    assert limits.unacknowledged_bytes == 2 << 20
    assert f"({limits.heartbeat_s} s)" in TEXT
