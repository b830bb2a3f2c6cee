"""Chance from a nonce: the same each time, fair, and not to be had without the nonce."""

import hashlib
import hmac
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.challenge.draw import SALT, Draw

NONCES = st.binary(min_size=16, max_size=64)


def test_first_block_is_hkdf_of_rfc_5869() -> None:
    nonce = bytes(range(16))
    key = hmac.new(SALT, nonce, hashlib.sha256).digest()
    okm = hmac.new(key, b"label\0\0\0\0\0\x01", hashlib.sha256).digest()
    draw = Draw(nonce, "label")
    words = [draw.below(1 << 31) for _ in range(8)]
    assert words == [int.from_bytes(okm[at : at + 4], "big") % (1 << 31) for at in range(0, 32, 4)]


@given(NONCES, st.text(max_size=10))
def test_same_nonce_same_draws(nonce: bytes, label: str) -> None:
    one, other = Draw(nonce, label), Draw(nonce, label)
    assert [one.below(7) for _ in range(40)] == [other.below(7) for _ in range(40)]


def test_label_and_nonce_change_what_is_drawn() -> None:
    drawn = [Draw(nonce, label).below(1 << 31) for nonce in (b"a" * 16, b"b" * 16) for label in ("actions", "colours")]
    assert len(set(drawn)) == 4


@given(NONCES, st.integers(1, 1 << 31))
def test_below_stays_below(nonce: bytes, count: int) -> None:
    assert 0 <= Draw(nonce, "x").below(count) < count


@given(NONCES, st.lists(st.integers(), max_size=9))
def test_order_keeps_everything(nonce: bytes, items: list[int]) -> None:
    assert Counter(Draw(nonce, "x").order(items)) == Counter(items)


def test_orders_are_fair() -> None:
    """3,000 nonces, six orders: 500 each, far outside five standard deviations (102) only by a fault."""
    seen = Counter(tuple(Draw(hashlib.sha256(bytes([n >> 8, n & 255])).digest(), "x").order("abc")) for n in range(3000))
    assert len(seen) == 6
    assert all(abs(times - 500) < 102 for times in seen.values())


def test_words_that_would_favour_some_are_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    words = iter([(1 << 32) - 1, 5])
    draw = Draw(b"n" * 16, "x")
    monkeypatch.setattr(draw, "_word", lambda: next(words))
    assert draw.below(3) == 2  # 2^32 - 1 would be a 0 too many


@given(NONCES)
def test_between_is_a_step_of_the_range(nonce: bytes) -> None:
    value = Draw(nonce, "x").between(1.0, 1.6)
    assert value in (1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6)
    assert Draw(nonce, "x").between(0.5, 0.5) == 0.5


def test_one_is_of_them() -> None:
    assert Draw(b"n" * 16, "x").one("abc") in "abc"


def test_refuses() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Draw(b"short", "x")
    for count in (0, (1 << 31) + 1):
        with pytest.raises(ValueError, match="below"):
            Draw(b"n" * 16, "x").below(count)
