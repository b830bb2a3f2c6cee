"""Chance that a nonce fixes: the same nonce gives the same script, and nobody can tell it without the nonce. Sans I/O.

HKDF with SHA-256 (RFC 5869): extracted once, then expanded block by block, a counter in the info, so that it does not end.
"""

import hmac
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")

SALT = b"tongping challenge 1"
NONCE_BYTES = 16
"""At least."""


def derived(nonce: bytes, label: str) -> bytes:
    """32 bytes that say nothing of the nonce, nor of those of another label. Raises ValueError as ``Draw`` does."""
    if len(nonce) < NONCE_BYTES:
        raise ValueError(f"a nonce has at least {NONCE_BYTES} bytes")
    return hmac.digest(hmac.digest(SALT, nonce, "sha256"), label.encode() + b"\x01", "sha256")


class Draw:
    """``nonce``: 16 bytes or more (ValueError). ``label`` separates what is drawn for different purposes."""

    def __init__(self, nonce: bytes, label: str) -> None:
        if len(nonce) < NONCE_BYTES:
            raise ValueError(f"a nonce has at least {NONCE_BYTES} bytes")
        self._key = hmac.digest(SALT, nonce, "sha256")
        self._info = label.encode()
        self._block = 0
        self._left = b""

    def _word(self) -> int:
        """The next 32 bits."""
        if not self._left:
            info = self._info + b"\0" + self._block.to_bytes(4, "big")
            self._left = hmac.digest(self._key, info + b"\x01", "sha256")
            self._block += 1
        word, self._left = self._left[:4], self._left[4:]
        return int.from_bytes(word, "big")

    def below(self, count: int) -> int:
        """0 to ``count`` - 1, each as likely as the others: words that would favour some are thrown away."""
        if not 1 <= count <= 1 << 31:
            raise ValueError("below: 1 to 2^31")
        fair = (1 << 32) // count * count
        while (word := self._word()) >= fair:
            pass
        return word % count

    def between(self, low: float, high: float, step: float = 0.1) -> float:
        """``low``, ``low`` + ``step``, … up to ``high``; rounded to milliseconds."""
        steps = int((high - low) / step + 1e-9)
        return round(low + step * self.below(steps + 1), 3)

    def one(self, items: Sequence[Item]) -> Item:
        return items[self.below(len(items))]

    def order(self, items: Sequence[Item]) -> list[Item]:
        """All of them, shuffled (Fisher-Yates)."""
        shuffled = list(items)
        for last in range(len(shuffled) - 1, 0, -1):
            other = self.below(last + 1)
            shuffled[last], shuffled[other] = shuffled[other], shuffled[last]
        return shuffled
