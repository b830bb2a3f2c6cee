"""A sanitiser's process that is not ours any more: what it says without end is not kept without end."""

from collections.abc import AsyncIterator

import pytest

from media import control
from media.errors import ControlError
from server.cobrowse.process_messages import Made
from server.sanitisers import MOST_PIECES, Sanitisers, _Asked, _Process

PIECE = "x" * (1 << 19)


@pytest.fixture
async def process() -> AsyncIterator[_Process]:
    sanitisers = Sanitisers(1, {})
    (process,) = sanitisers._processes
    for request in (1, 2, 3):
        process.asked[request] = _Asked("SH_A", request)
    yield process
    await sanitisers.close()


def say(process: _Process, request: int, *, last: bool = False, times: int = 1) -> None:
    frame = control.encode(Made(request, PIECE, last))[4:]
    for _ in range(times):
        process._take(frame)


async def test_an_answer_without_end_ends_its_process(process: _Process) -> None:
    half = MOST_PIECES // len(PIECE) // 2
    say(process, 1, times=half)
    say(process, 2, times=half)
    with pytest.raises(ControlError, match="answer_too_large"):
        say(process, 1)


async def test_what_is_whole_counts_no_more(process: _Process) -> None:
    all_of_it = MOST_PIECES // len(PIECE)
    for request in (1, 2, 3):
        say(process, request, times=all_of_it)
        say(process, request, last=True)
    assert process.half_there == 0
