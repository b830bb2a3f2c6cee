"""Slowing down guessers: free failures, growing pauses, budgets for all together, bounded memory."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from server.auth.attempts import Throttle
from server.auth.throttle import Policy, ThrottleCore, address_key, policies
from server.errors import TooMany

SIMPLE = Policy(free=3, window_s=100, base_s=2, cap_s=16)
FORGIVING = Policy(free=3, window_s=100, base_s=2, cap_s=16, forgive=True)


def core(**named: Policy) -> ThrottleCore:
    return ThrottleCore(named, SIMPLE)


def fail(throttle: ThrottleCore, scope: str, who: str, now: float) -> int:
    wait_s = throttle.attempt(scope, who, now)
    if wait_s == 0:
        throttle.failed(scope, who, now)
    return wait_s


def test_pauses_double_up_to_the_cap() -> None:
    throttle = core()
    now, pauses = 0.0, []
    for _ in range(3):
        assert fail(throttle, "s", "a", now) == 0
    for _ in range(6):
        wait_s = fail(throttle, "s", "a", now)
        pauses.append(wait_s)
        assert fail(throttle, "s", "a", now + wait_s - 0.1) == 1  # not a moment before
        now += wait_s
        assert fail(throttle, "s", "a", now) == 0
    assert pauses == [2, 4, 8, 16, 16, 16]


def test_trying_during_the_pause_does_not_lengthen_it() -> None:
    throttle = core()
    for _ in range(3):
        fail(throttle, "s", "a", 0.0)
    assert all(fail(throttle, "s", "a", i / 100) in (1, 2) for i in range(200))
    assert fail(throttle, "s", "a", 2.0) == 0


def test_failures_are_forgotten_after_the_window() -> None:
    throttle = core()
    for _ in range(3):
        fail(throttle, "s", "a", 0.0)
    for _ in range(3):
        assert fail(throttle, "s", "a", 100.0) == 0
    assert fail(throttle, "s", "a", 100.0) == 2


def test_guessers_and_scopes_do_not_share() -> None:
    throttle = core()
    for _ in range(3):
        fail(throttle, "s", "a", 0.0)
    assert throttle.attempt("s", "a", 0.0) == 2
    assert throttle.attempt("s", "b", 0.0) == 0
    assert throttle.attempt("t", "a", 0.0) == 0


def test_a_thousand_attempts_at_once_are_not_let_through() -> None:
    throttle = core()
    assert sum(throttle.attempt("s", "a", 0.0) == 0 for _ in range(1000)) == 3


def test_a_success_does_not_count_and_forgives_only_where_it_may() -> None:
    throttle = core(forgiving=FORGIVING)
    for _ in range(50):
        assert throttle.attempt("s", "a", 0.0) == 0
        throttle.succeeded("s", "a", 0.0)
    assert throttle.size("s") == 0
    # Two failures, then a success (with a secret of one's own): the third failure still starts the pause …
    for scope in ("s", "forgiving"):
        fail(throttle, scope, "a", 1.0)
        fail(throttle, scope, "a", 1.0)
        throttle.attempt(scope, "a", 1.0)
        throttle.succeeded(scope, "a", 1.0)
        fail(throttle, scope, "a", 1.0)
    assert throttle.attempt("s", "a", 1.0) == 2
    assert throttle.attempt("forgiving", "a", 1.0) == 0  # … but not where the success proved the secret


def test_a_failure_without_an_attempt_counts() -> None:
    throttle = core()
    for _ in range(3):
        throttle.failed("s", "a", 0.0)
    assert throttle.attempt("s", "a", 0.0) == 2
    throttle.succeeded("s", "nobody", 0.0)
    throttle.succeeded("s", "a", 0.0)  # no attempt is open: it takes nothing back
    assert throttle.attempt("s", "a", 0.0) == 2


def test_an_attempt_that_nobody_decided_counts_as_failed() -> None:
    throttle = core()
    for _ in range(3):
        throttle.attempt("s", "a", 0.0)
    assert throttle.attempt("s", "a", 1.0) == 1


@pytest.mark.campaign(5)
def test_ten_thousand_addresses_share_the_budget_of_codes() -> None:
    """Everybody guesses once a second from an address of their own, for a day and a bit."""
    throttle = ThrottleCore(policies())
    let_through: list[float] = []
    for second in range(86_400 + 3600):
        if fail(throttle, "code", f"10.{second >> 16}.{second >> 8 & 255}.{second & 255}", float(second)) == 0:
            let_through.append(second)
    for failures, window_s in ((20, 60), (120, 3600), (500, 86_400)):
        assert max(sum(t <= u < t + window_s for u in let_through) for t in let_through) == failures
    assert throttle.attempt("link", "10.0.0.1", 90_000.0) == 0  # links go on


def test_right_codes_do_not_use_the_budget_up() -> None:
    throttle = ThrottleCore(policies())
    for i in range(1000):
        assert throttle.attempt("code", f"10.0.{i >> 8}.{i & 255}", 0.0) == 0
        throttle.succeeded("code", f"10.0.{i >> 8}.{i & 255}", 0.0)


def test_memory_is_bounded_and_the_quiet_are_forgotten_first() -> None:
    throttle = core(small=Policy(free=1, window_s=100, base_s=50, cap_s=50, max_keys=3))
    for i, who in enumerate(["a", "b", "c", "d"]):
        fail(throttle, "small", who, float(i))
    assert throttle.size("small") == 3
    assert throttle.attempt("small", "b", 5.0) > 0
    assert throttle.attempt("small", "a", 5.0) == 0  # forgotten for d; and now b is
    assert throttle.size("small") == 3
    assert throttle.attempt("small", "new", 200.0) == 0
    assert throttle.size("small") == 1  # the windows of all others are over


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("not an address", "not an address"),
    ],
)
def test_an_address_is_known_by_what_one_person_has(address: str, key: str) -> None:
    assert address_key(address) == key


def test_the_kind_of_guesser_chooses_the_policy() -> None:
    throttle = ThrottleCore(policies(attempts=2))
    for i in range(8):
        assert fail(throttle, "login", f"address:2001:db8::{i}", 0.0) == 0
    assert fail(throttle, "login", "address:2001:db8::9", 0.0) == 2
    for _ in range(2):
        assert fail(throttle, "login", "name:li", 0.0) == 0
    assert fail(throttle, "login", "name:li", 0.0) == 2
    for _ in range(2):
        assert fail(throttle, "code", "address:2001:db8::1", 0.0) == 0
    assert fail(throttle, "code", "address:2001:db8::1", 0.0) == 5


class FixedClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> None:  # type: ignore[override]
        raise AssertionError("a throttle measures durations")


def test_the_shell_raises() -> None:
    clock = FixedClock()
    throttle = Throttle(clock, {}, SIMPLE)  # type: ignore[arg-type]
    for _ in range(2):
        throttle.check("s", "a")
        throttle.failed("s", "a")
    throttle.check("s", "a")
    with pytest.raises(TooMany) as refused:
        throttle.check("s", "a")
    assert refused.value.retry_after_s == 2
    throttle.succeeded("s", "a")
    throttle.check("s", "a")
    clock.seconds = 2.0
    throttle.check("s", "a")


class Guessing(RuleBasedStateMachine):
    """Whatever happens in whatever order: never more than the free failures without a pause, never more memory than said."""

    def __init__(self) -> None:
        super().__init__()
        self.throttle = core(s=Policy(free=2, window_s=50, base_s=3, cap_s=20, max_keys=4, budgets=((6, 30),)))
        self.now = 0.0
        self.counted: list[float] = []

    @rule(seconds=st.floats(0, 60))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(who=st.sampled_from("abcdefg"), right=st.booleans())
    def attempt(self, who: str, right: bool) -> None:
        wait_s = self.throttle.attempt("s", who, self.now)
        assert 0 <= wait_s <= 31
        if wait_s == 0 and right:
            self.throttle.succeeded("s", who, self.now)
        elif wait_s == 0:
            self.throttle.failed("s", who, self.now)
            self.counted.append(self.now)

    @invariant()
    def the_budget_holds(self) -> None:
        assert sum(time > self.now - 30 for time in self.counted) <= 6

    @invariant()
    def memory_is_bounded(self) -> None:
        assert self.throttle.size("s") <= 4


TestGuessing = Guessing.TestCase
TestGuessing.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
