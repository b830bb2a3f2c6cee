"""Passwords: argon2id off the loop, bounded, the same work for nobody."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from server.auth.passwords import Passwords, generate_password
from server.errors import Invalid, TooMany

RIGHT = "correct horse 电池 staple"


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    """Cheap parameters: what is tested is not how long it takes."""
    made = Passwords(threads=1, max_waiting=2, memory_kib=64, passes=1, lanes=1)
    yield made
    await made.close()


async def test_only_the_password_is_the_password(passwords: Passwords) -> None:
    kept = await passwords.hash(RIGHT)
    assert kept.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert RIGHT not in kept
    assert await passwords.verify(kept, RIGHT)
    for wrong in ("", RIGHT[:-1], RIGHT + " ", RIGHT.upper(), "x" * 10_000, "\ud800"):
        assert not await passwords.verify(kept, wrong)
    assert await passwords.hash(RIGHT) != kept  # salted


@pytest.mark.parametrize(
    "broken", ["", "x", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=64,t=1,p=1$AAAA$AAAA"]
)
async def test_a_broken_hash_opens_nothing(passwords: Passwords, broken: str) -> None:
    assert not await passwords.verify(broken, RIGHT)
    assert not await passwords.verify(broken, "")


@pytest.mark.parametrize("password", ["", "123456789", "x" * 201, "long enough \ud800"])
async def test_a_bad_password_is_not_hashed(passwords: Passwords, password: str) -> None:
    with pytest.raises(Invalid):
        await passwords.hash(password)


async def test_nobody_costs_what_somebody_costs(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same function with the same parameters runs for both; a clock would prove less."""
    seen: list[str] = []
    real = passwords._hasher.verify

    def watch(hash: str | bytes, password: str | bytes) -> bool:
        seen.append(str(hash))
        return bool(real(hash, password))

    monkeypatch.setattr(passwords, "_hasher", type("Watched", (), {"verify": staticmethod(watch)}))
    await passwords.verify_nobody(RIGHT)
    await passwords.verify_nobody("x" * 201)  # as little as ``verify`` does
    (nobody,) = seen
    parameters, salt, digest = nobody.rsplit("$", 2)
    assert parameters == "$argon2id$v=19$m=64,t=1,p=1"
    assert (len(salt), len(digest)) == (22, 43)


async def test_the_hash_of_nobody_is_well_formed(passwords: Passwords) -> None:
    """Else argon2 would refuse it before it did the work."""
    assert not passwords.needs_rehash(passwords._nobody)


async def test_other_parameters_ask_for_a_new_hash(passwords: Passwords) -> None:
    stronger = Passwords(threads=1, memory_kib=128, passes=1, lanes=1)
    kept = await passwords.hash(RIGHT)
    assert not passwords.needs_rehash(kept)
    assert stronger.needs_rehash(kept)
    assert stronger.needs_rehash("broken")
    assert await stronger.verify(kept, RIGHT)
    await stronger.close()


async def test_too_many_at_once_are_refused_and_places_come_back(passwords: Passwords) -> None:
    kept = await passwords.hash(RIGHT)
    gate, release = threading.Event(), threading.Event()

    def work() -> bool:
        gate.set()
        return release.wait(10)

    blocking = asyncio.create_task(passwords._run(work))
    waiting = [asyncio.create_task(passwords.verify(kept, RIGHT)) for _ in range(2)]
    await asyncio.to_thread(gate.wait, 10)
    with pytest.raises(TooMany):
        await passwords.verify(kept, RIGHT)
    with pytest.raises(TooMany):
        await passwords.verify_nobody(RIGHT)
    # Who stops waiting does not free a place while the work goes on: a flood of cancelled calls stays bounded.
    blocking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await blocking
    with pytest.raises(TooMany):
        await passwords.verify(kept, RIGHT)
    release.set()
    assert await asyncio.gather(*waiting) == [True, True]
    assert await passwords.verify(kept, RIGHT)


async def test_the_event_loop_goes_on_meanwhile(passwords: Passwords) -> None:
    release = threading.Event()
    task = asyncio.create_task(passwords._run(lambda: release.wait(10)))
    await asyncio.sleep(0)
    release.set()  # reached while the work runs: the loop was not blocked
    assert await task


async def test_after_closing_it_refuses(passwords: Passwords) -> None:
    await passwords.close()
    with pytest.raises(TooMany):
        await passwords.verify("x", RIGHT)


def test_generated_passwords_are_long_and_clear() -> None:
    made = {generate_password() for _ in range(100)}
    assert len(made) == 100
    assert all(len(password) == 20 and not set(password) & set("0O1lIo") and password.isalnum() for password in made)
