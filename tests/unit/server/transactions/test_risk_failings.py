"""What customers failed, to be taken back."""

from server.transactions.risk.failings import MOST_EACH, Failings
from server.transactions.risk.velocity import DAY, HOUR, Velocity


def test_void() -> None:
    failings = Failings()
    failings.add(b"a", (b"1", b"2"), 10.0)
    failings.add(b"b", (b"1",), 20.0)
    failings.add(b"a", (b"1",), 30.0)
    assert failings.void(b"a") == [(10.0, (b"1", b"2")), (30.0, (b"1",))]
    assert failings.void(b"a") == []
    assert len(failings) == 1


def test_it_is_bounded_and_forgets_the_oldest() -> None:
    failings = Failings(most=2)
    for number in range(MOST_EACH + 5):
        failings.add(b"a", (b"1",), number)
    failings.add(b"b", (b"1",), 100.0)
    failings.add(b"a", (b"1",), 200.0)
    failings.add(b"c", (b"1",), 300.0)
    assert failings.void(b"b") == []
    assert (len(failings.void(b"a")), len(failings)) == (MOST_EACH, 1)
    failings.add(b"d", (b"1",), 400.0)
    failings.forget_before(350.0)
    assert (failings.void(b"c"), len(failings.void(b"d"))) == ([], 1)


def test_what_is_taken_back_is_not_counted() -> None:
    velocity = Velocity()
    times = [0.0, 70.0, 100.0, 1000.0, 5000.0]
    for at in times:
        velocity.add(b"k", at)
    velocity.add(b"k", 5000.0 + HOUR)  # the first are put together by quarters
    for left, at in zip((5, 4, 3, 2, 1), times, strict=True):
        velocity.take_back(b"k", at)
        assert velocity.count(b"k", DAY, 5000.0 + HOUR) == left
    velocity.take_back(b"k", 70.0)
    velocity.take_back(b"nobody", 70.0)
    velocity.take_back(b"k", 99_999.0)
    assert velocity.count(b"k", DAY, 5000.0 + HOUR) in (0, 1)
