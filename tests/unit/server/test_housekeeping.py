"""What is done from time to time: one chore that fails keeps no other from its turn."""

import logging

import pytest

from server.errors import StoreUnavailable
from server.housekeeping import once


async def test_one_that_fails_keeps_none_of_the_others_from_its_turn(caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    def chore(name: str, error: Exception | None = None):  # type: ignore[no-untyped-def]
        async def work() -> None:
            done.append(name)
            if error is not None:
                raise error

        return work

    with caplog.at_level(logging.WARNING):
        await once({"a": chore("a", StoreUnavailable("no")), "b": chore("b", ZeroDivisionError()), "c": chore("c")})
    assert done == ["a", "b", "c"]
    assert [(record.levelname, vars(record)["chore"]) for record in caplog.records] == [("WARNING", "a"), ("ERROR", "b")]
