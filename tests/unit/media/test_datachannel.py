from collections import Counter

import pytest

from media.datachannel import TokenBucket, _Guard


def test_the_bucket_empties_and_fills() -> None:
    bucket = TokenBucket(10.0, 2.0, 0.0)
    assert [bucket.take(0.0) for _ in range(3)] == [True, True, False]
    assert bucket.take(0.1)
    assert not bucket.take(0.05)  # a clock that goes back gives nothing
    assert [bucket.take(9.0) for _ in range(3)] == [True, True, False]


class Inner:
    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.got = b""

    async def _handle_data(self, data: bytes) -> None:
        self.got = data
        if self.error is not None:
            raise self.error


async def test_what_sctp_raises_on_hostile_bytes_is_counted() -> None:
    counts: Counter[str] = Counter()
    good = Inner(None)
    await _Guard(good, counts)._handle_data(b"x")
    assert (good.got, counts) == (b"x", Counter())
    await _Guard(Inner(AssertionError()), counts)._handle_data(b"x")
    assert counts["sctp_error"] == 1
    with pytest.raises(ConnectionError):
        await _Guard(Inner(ConnectionError()), counts)._handle_data(b"x")
