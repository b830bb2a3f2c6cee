"""What is remembered of devices is what the store says, or says that it does not know."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from server.transactions.risk.devices import Answer, KnownDevices
from server.transactions.risk.records import RiskDevice

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PEOPLE = st.sampled_from([bytes([number]) * 32 for number in range(4)])
MOST = 3


class Devices(RuleBasedStateMachine):
    """A store that transactions write, fail or commit, and the memory beside it."""

    @initialize(stored=st.dictionaries(st.tuples(PEOPLE, PEOPLE), st.integers(0, 9), max_size=5))
    def start(self, stored: dict[tuple[bytes, bytes], int]) -> None:
        self.stored = {key: self.device(*key, day) for key, day in stored.items()}
        self.days = 10
        self.known = KnownDevices(MOST)
        for one in list(self.stored.values())[:MOST]:
            self.known.put(one)
        self.known.whole = len(self.stored) < MOST

    def device(self, customer: bytes, device: bytes, day: int) -> RiskDevice:
        at = NOON + timedelta(days=day)
        return RiskDevice(customer=customer, device=device, first_at=at, last_at=at)

    @rule(customer=PEOPLE, device=PEOPLE, commits=st.booleans())
    def passes(self, customer: bytes, device: bytes, commits: bool) -> None:
        self.days += 1
        self.known.doubt(customer, device)
        if commits:
            before = self.stored.get((customer, device))
            now = self.device(customer, device, self.days)
            first = now.first_at if before is None else before.first_at
            self.stored[customer, device] = RiskDevice(customer=customer, device=device, first_at=first, last_at=now.last_at)

    @rule(customer=PEOPLE, device=PEOPLE)
    def asks(self, customer: bytes, device: bytes) -> None:
        if self.known.since(customer, device) is Answer.DOUBTFUL and (customer, device) in self.stored:
            self.known.put(self.stored[customer, device])

    @rule(days=st.integers(0, 30))
    def forgets(self, days: int) -> None:
        before = NOON + timedelta(days=days)
        self.stored = {key: one for key, one in self.stored.items() if one.last_at >= before}
        self.known.forget(before)

    @invariant()
    def never_says_what_the_store_does_not(self) -> None:
        if not hasattr(self, "known"):
            return
        assert len(self.known) <= MOST
        for number in range(4):
            for other in range(4):
                key = bytes([number]) * 32, bytes([other]) * 32
                said = self.known.since(*key)
                if said is Answer.UNKNOWN:
                    assert key not in self.stored
                elif said is not Answer.DOUBTFUL:
                    assert key in self.stored
                    assert said == self.stored[key].first_at


TestDevices = Devices.TestCase


def test_when_everything_is_in_doubt_the_store_is_asked() -> None:
    known = KnownDevices(2)
    known.whole = True
    known.put(RiskDevice(customer=b"a" * 32, device=b"d" * 32, first_at=NOON, last_at=NOON))
    for letter in (b"b", b"c", b"d"):
        known.doubt(letter * 32, b"d" * 32)
    assert (len(known), known.whole) == (0, False)
    assert known.since(b"a" * 32, b"d" * 32) is Answer.DOUBTFUL
