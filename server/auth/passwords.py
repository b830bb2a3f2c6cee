"""Passwords: argon2id (RFC 9106) in a bounded thread pool, never on the event loop.

Defaults are the second recommended option of RFC 9106 §4 (64 MiB, 3 passes, 4 lanes). Memory in use is at most
``threads`` × ``memory_kib``; at most ``max_waiting`` more calls wait, the next is refused with TooMany.
"""

import asyncio
import base64
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from server.errors import Invalid, TooMany

MAX_PASSWORD_CHARS = 200
MIN_PASSWORD_CHARS = 10
GENERATED_CHARS = 20
_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without 0 O 1 l I o
_T = TypeVar("_T")


def generate_password() -> str:
    """20 characters that are hard to confuse: 115 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(GENERATED_CHARS))


class Passwords:
    """Close it: it owns threads."""

    def __init__(
        self, *, threads: int = 2, max_waiting: int = 16, memory_kib: int = 65536, passes: int = 3, lanes: int = 4
    ) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=lanes)
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="password")
        self._places = threads + max_waiting
        self._nobody = _hash_of_nothing(memory_kib, passes, lanes)

    async def hash(self, password: str) -> str:
        """A hash to keep. Raises Invalid for a password under 10 or over 200 characters, TooMany when too many calls wait."""
        if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
            raise Invalid(f"A password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters.")
        _check_unicode(password)
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, password_hash: str, password: str) -> bool:
        """Whether it is the password. False for a broken hash too. Raises TooMany."""
        if len(password) > MAX_PASSWORD_CHARS:
            return False
        return await self._run(lambda: self._verify(password_hash, password))

    async def verify_nobody(self, password: str) -> None:
        """Takes as long as ``verify``: an unknown user name does not answer sooner than a known one. Raises TooMany."""
        if len(password) <= MAX_PASSWORD_CHARS:
            await self._run(lambda: self._verify(self._nobody, password))

    def needs_rehash(self, password_hash: str) -> bool:
        """Whether it was made with other parameters than today's: hash the password anew after the next good login."""
        try:
            return self._hasher.check_needs_rehash(password_hash)
        except InvalidHashError:
            return True

    async def close(self) -> None:
        """Wait for what runs; what waits is cancelled."""
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (Argon2Error, InvalidHashError, UnicodeEncodeError):
            return False

    async def _run(self, work: Callable[[], _T]) -> _T:
        """The place is given back when the work is over, not when the caller stops waiting."""
        if self._places <= 0:
            raise TooMany("Too many people are signing in. Please try again in a moment.", retry_after_s=2)
        self._places -= 1
        loop = asyncio.get_running_loop()
        try:
            future = loop.run_in_executor(self._pool, work)
        except RuntimeError:
            self._places += 1
            raise TooMany("The server is stopping.", retry_after_s=5) from None
        future.add_done_callback(self._give_back)
        return await asyncio.shield(future)

    def _give_back(self, future: "asyncio.Future[Any]") -> None:
        self._places += 1
        if not future.cancelled():
            future.exception()


def _hash_of_nothing(memory_kib: int, passes: int, lanes: int) -> str:
    """A well-formed hash of no known password: checking against it costs what checking against a real one costs."""
    salt, digest = (base64.b64encode(secrets.token_bytes(n)).decode().rstrip("=") for n in (16, 32))
    return f"$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${digest}"


def _check_unicode(password: str) -> None:
    try:
        password.encode()
    except UnicodeEncodeError as exc:
        raise Invalid("The password is not Unicode.") from exc
