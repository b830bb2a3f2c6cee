from collections import Counter

import pytest

from media.transport.datachannel import MAX_HELD_CHUNKS, MAX_STREAMS, TokenBucket, _Guard


def test_the_bucket_empties_and_fills() -> None:
    bucket = TokenBucket(10.0, 2.0, 0.0)
    assert [bucket.take(0.0) for _ in range(3)] == [True, True, False]
    assert bucket.take(0.1)
    assert not bucket.take(0.05)  # a clock that goes back gives nothing
    assert [bucket.take(9.0) for _ in range(3)] == [True, True, False]


class Stream:
    def __init__(self, held: int) -> None:
        self.reassembly = list(range(held))


class Inner:
    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.got = b""
        self._inbound_streams: dict[int, Stream] = {}
        self._sack_misordered: set[int] = set()

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


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("what", ["streams", "pieces", "gaps"])
async def test_an_association_that_holds_too_much_is_ended(what: str, over: int) -> None:
    inner, counts = Inner(None), Counter[str]()
    if what == "streams":
        inner._inbound_streams = {n: Stream(0) for n in range(MAX_STREAMS + over)}
    elif what == "pieces":
        inner._inbound_streams = {0: Stream(MAX_HELD_CHUNKS), 1: Stream(over)}
    else:
        inner._sack_misordered = set(range(MAX_HELD_CHUNKS + over))
    if over:
        with pytest.raises(ConnectionError):
            await _Guard(inner, counts)._handle_data(b"x")
    else:
        await _Guard(inner, counts)._handle_data(b"x")
    assert counts["sctp_held"] == over
