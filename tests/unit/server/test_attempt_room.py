"""Places of live attempts: as many as there are, and each is free again however the attempt ended."""

import pytest

from server.errors import VerificationUnavailable
from server.services.attempt_room import AttemptRoom, AttemptsBusy


def test_one_more_than_there_is_room_for_is_refused_until_somebody_is_done() -> None:
    room = AttemptRoom(2)
    with room.place():
        with room.place():
            with pytest.raises(AttemptsBusy) as refused, room.place():
                pass
            assert (refused.value.code, room.taken, room.refused) == ("attempts_busy", 2, 1)
            assert isinstance(refused.value, VerificationUnavailable)
        with room.place():
            assert room.taken == 2
    assert room.taken == 0


def test_whoever_fails_keeps_no_place() -> None:
    room = AttemptRoom(1)
    with pytest.raises(LookupError), room.place():
        raise LookupError
    with room.place():
        assert (room.taken, room.refused) == (1, 0)


def test_there_may_be_no_limit() -> None:
    room = AttemptRoom()
    with room.place(), room.place(), room.place():
        assert room.taken == 3
