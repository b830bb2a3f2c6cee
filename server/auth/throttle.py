"""Slowing down those who guess: passwords, invitation codes, links. Sans-I/O.

Every attempt counts as failed from the moment it is let through until ``succeeded`` says otherwise, so that a thousand
attempts at once are not let through before the first has failed.

A **guesser** (``who``: an address, a user name, an invitation) has ``free`` failures within ``window_s``; each further one doubles
the pause after it, from ``base_s`` to ``cap_s``. Attempts during the pause are refused and do not count, so that a person who
keeps trying gets in when it is over.

A **scope** may have budgets for all guessers together. 6-digit codes need them: whoever has ten thousand addresses has ten
thousand times the free failures. With 20 wrong guesses a minute, 120 an hour and 500 a day for everybody together, one code
that lives an hour is found with p ≤ 120 / 10⁶ = 0.012 %, one that lives a day with p ≤ 0.05 %, and with n codes alive all the time somebody
gets into one of them about every 2,000 / n days. When the budget is used up codes are refused; links (128 random bits) still work.

Memory: at most ``max_keys`` guessers a scope, each at most ``free + 12`` times of 8 bytes. When a scope is full, those whose window
is over are forgotten, then the one who has been quiet longest.
"""

import ipaddress
import math
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_EXTRA = 12  # times kept beyond the free ones: 2 ** 12 × base_s is over every cap_s


@dataclass(frozen=True, slots=True)
class Policy:
    """``budgets``: (failures, seconds) for all guessers together. ``forgive``: whether a success wipes earlier failures out;
    only where succeeding needs the very secret that is guessed at. ``address``: ``who`` is an IP address."""

    free: int
    window_s: float
    base_s: float
    cap_s: float
    forgive: bool = False
    address: bool = False
    budgets: tuple[tuple[int, float], ...] = ()
    max_keys: int = 10_000


def policies(*, attempts: int = 5, window_s: float = 900, waiting_joins: int = 10) -> dict[str, Policy]:
    """Those of the server, by scope and kind of guesser. ``attempts``: free failures of one guesser in ``window_s``."""
    address = Policy(free=attempts * 4, window_s=window_s, base_s=2, cap_s=900, address=True)
    return {
        "login:name": Policy(free=attempts, window_s=window_s, base_s=2, cap_s=300, forgive=True),
        "login:address": address,
        "code": Policy(
            free=attempts, window_s=window_s, base_s=5, cap_s=900, address=True, budgets=((20, 60), (120, 3600), (500, 86400))
        ),
        "link": address,
        "cobrowse_code": Policy(
            free=attempts, window_s=window_s, base_s=5, cap_s=900, budgets=((20, 60), (120, 3600), (500, 86400))
        ),
        "network_test": Policy(free=40, window_s=window_s, base_s=5, cap_s=60),
        "waiting": Policy(free=waiting_joins, window_s=window_s, base_s=5, cap_s=600, address=True),
    }


POLICIES: Mapping[str, Policy] = MappingProxyType(policies())
KINDS = frozenset({"name", "address"})  # of guessers: ``who`` may begin with one of them and a colon
DEFAULT = Policy(free=5, window_s=900, base_s=2, cap_s=900)


def address_key(address: str) -> str:
    """Who an address is: an IPv4 address, or the /64 of an IPv6 one (whoever has one address of a /64 has all of them)."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


@dataclass(slots=True)
class _Guesser:
    """``times``: of failures and of attempts that are not decided; ``open``: how many of them are not decided."""

    times: deque[float]
    open: int = 0


@dataclass(slots=True)
class _Scope:
    policy: Policy
    guessers: OrderedDict[str, _Guesser] = field(default_factory=OrderedDict)
    all_times: deque[float] = field(default_factory=deque)


class ThrottleCore:
    """``now``: seconds of a clock that does not go back."""

    def __init__(self, policies: Mapping[str, Policy] = POLICIES, default: Policy = DEFAULT) -> None:
        self._policies = policies
        self._default = default
        self._scopes: dict[str, _Scope] = {}

    def attempt(self, scope: str, who: str, now: float) -> int:
        """0: go on, and the attempt counts as failed until ``succeeded``. Else: the whole seconds to wait; nothing was counted."""
        state, key = self._state(scope, who)
        guesser = state.guessers.get(key)
        wait_s = self._budget_wait_s(state, now)
        if guesser is not None:
            wait_s = max(wait_s, self._pause_s(state.policy, guesser, now))
        if wait_s > 0:
            return max(1, math.ceil(wait_s))
        self._count(state, key, now).open += 1
        return 0

    def failed(self, scope: str, who: str, now: float) -> None:
        """The attempt was wrong. Without an ``attempt`` before, it is counted now."""
        state, key = self._state(scope, who)
        guesser = state.guessers.get(key)
        if guesser is not None and guesser.open > 0:
            guesser.open -= 1
        else:
            self._count(state, key, now)

    def succeeded(self, scope: str, who: str, now: float) -> None:
        """The attempt was right: it does not count, and where the policy forgives, nor do earlier ones."""
        del now
        state, key = self._state(scope, who)
        guesser = state.guessers.get(key)
        if guesser is None:
            return
        if guesser.open > 0 and guesser.times:
            guesser.open -= 1
            time = guesser.times.pop()
            if time in state.all_times:
                state.all_times.remove(time)
        if state.policy.forgive or not guesser.times:
            del state.guessers[key]

    def size(self, scope: str) -> int:
        """How many guessers are remembered."""
        return len(self._scopes[scope].guessers) if scope in self._scopes else 0

    def _state(self, scope: str, who: str) -> tuple[_Scope, str]:
        kind, _, value = who.partition(":")
        name = f"{scope}:{kind}"
        if kind not in KINDS:
            name, value = scope, who
        state = self._scopes.get(name)
        if state is None:
            state = self._scopes[name] = _Scope(self._policies.get(name) or self._policies.get(scope, self._default))
        return state, address_key(value) if state.policy.address else value

    def _pause_s(self, policy: Policy, guesser: _Guesser, now: float) -> float:
        while guesser.times and guesser.times[0] <= now - policy.window_s:
            guesser.times.popleft()
        guesser.open = min(guesser.open, len(guesser.times))
        over = len(guesser.times) - policy.free
        if over < 0:
            return 0.0
        return guesser.times[-1] + min(policy.cap_s, policy.base_s * 2.0**over) - now

    def _budget_wait_s(self, state: _Scope, now: float) -> float:
        wait_s = 0.0
        for failures, window_s in state.policy.budgets:
            if len(state.all_times) >= failures:
                wait_s = max(wait_s, state.all_times[-failures] + window_s - now)
        return wait_s

    def _count(self, state: _Scope, key: str, now: float) -> _Guesser:
        policy = state.policy
        guesser = state.guessers.get(key)
        if guesser is None:
            self._make_room(state, now)
            guesser = state.guessers[key] = _Guesser(deque(maxlen=policy.free + _EXTRA))
        guesser.times.append(now)
        state.guessers.move_to_end(key)
        if policy.budgets:
            state.all_times.append(now)
            while len(state.all_times) > max(failures for failures, _ in policy.budgets):
                state.all_times.popleft()
        return guesser

    def _make_room(self, state: _Scope, now: float) -> None:
        """Those first in the order have been quiet longest."""
        while state.guessers:
            oldest = next(iter(state.guessers.values()))
            over = not oldest.times or oldest.times[-1] <= now - state.policy.window_s
            if not over and len(state.guessers) < state.policy.max_keys:
                return
            state.guessers.popitem(last=False)
