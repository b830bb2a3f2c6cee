"""The ICE agent without a socket: hostile datagrams, address choice, restarts, consent; and campaign 2's state machine."""

import struct
from typing import Any

import pytest
from aioice import stun
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from media.transport.ice_lite import (
    ANSWER_S,
    ASK_AGAIN_S,
    ASKS_S,
    CONSENT_S,
    DISCONNECT_S,
    MAX_ADDRESSES,
    MAX_UNKNOWN_LISTED,
    UNKNOWN_PER_S,
    IceLite,
    IceSession,
    Outcome,
    Remote,
    Verdict,
)

PWD = "0123456789012345678901"
HOST = ("192.0.2.1", 5000)
UNDERSTOOD = {0x01, 0x06, 0x08, 0x09, 0x0A, 0x14, 0x15, 0x1C, 0x1D, 0x1E, 0x20, 0x24, 0x25}
"""RFC 8489 section 18.3.1 and RFC 8445 section 16.1."""


def check(
    ufrag: str = "user", pwd: str = PWD, *, use: bool = False, controlled: bool = False, method: Any = stun.Method.BINDING
) -> bytes:
    message = stun.Message(message_method=method, message_class=stun.Class.REQUEST)
    message.attributes["USERNAME"] = f"{ufrag}:theirs"
    message.attributes["PRIORITY"] = 1
    message.attributes["ICE-CONTROLLED" if controlled else "ICE-CONTROLLING"] = 7
    if use:
        message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(pwd.encode())
    return bytes(message)


def agent() -> tuple[IceLite, IceSession]:
    ice = IceLite(0.0)
    return ice, ice.add("user", PWD, "peer", 0.0)


REMOTE = Remote("theirs", "p" * 24, b"nobody else knows")


def asking() -> tuple[IceLite, IceSession]:
    """A peer at ``a`` that can be asked back."""
    ice = IceLite(0.0)
    session = ice.add("user", PWD, "peer", 0.0, REMOTE)
    assert ice.handle(check(), b"a", HOST, 1.0).selected
    return ice, session


def answer(ask: bytes | None, pwd: str = REMOTE.pwd) -> bytes:
    """What a browser says to a check: it verifies it first."""
    assert ask is not None
    question = stun.parse_message(ask)
    assert question.message_class == stun.Class.REQUEST
    assert question.attributes["USERNAME"].startswith("theirs:")
    assert {"PRIORITY", "ICE-CONTROLLED", "FINGERPRINT"} <= set(question.attributes)
    assert question.check_message_integrity(REMOTE.pwd.encode())
    response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=question.transaction_id)
    response.attributes["XOR-MAPPED-ADDRESS"] = HOST
    response.add_message_integrity(pwd.encode())
    response.add_fingerprint()
    return bytes(response)


def owner(ice: IceLite, address: bytes) -> object:
    session = ice.by_address.get(address)
    return session.owner if session else None


def test_a_good_check_is_answered_and_proves_the_address() -> None:
    ice, session = agent()
    assert owner(ice, b"a") is None
    outcome = ice.handle(check(), b"a", HOST, 1.0)
    assert outcome.verdict is Verdict.ANSWERED
    assert outcome.selected
    assert owner(ice, b"a") == "peer"
    assert outcome.reply is not None
    reply = stun.parse_message(outcome.reply)
    assert reply.message_class == stun.Class.RESPONSE
    assert reply.attributes["XOR-MAPPED-ADDRESS"] == HOST
    assert "FINGERPRINT" in reply.attributes
    assert reply.check_message_integrity(PWD.encode())
    assert not ice.handle(check(), b"a", HOST, 1.1).selected
    assert session.alive(1.0)


def cut(data: bytes, at: int) -> bytes:
    return data[:at]


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (b"", Verdict.MALFORMED),
        (check()[:19], Verdict.MALFORMED),
        (check()[:-4], Verdict.MALFORMED),
        (check() + b"\0\0\0\0", Verdict.MALFORMED),
        (check() + b"\0", Verdict.MALFORMED),
        (check()[:4] + b"\0\0\0\0" + check()[8:], Verdict.MALFORMED),
        (bytes(2000), Verdict.MALFORMED),
        (b"\x01\x01" + check()[2:], Verdict.IGNORED),
        (b"\x01\x11" + check()[2:], Verdict.IGNORED),
        (b"\x00\x11" + check()[2:], Verdict.IGNORED),
        (check("other"), Verdict.UNKNOWN_USER),
        (check("use"), Verdict.UNKNOWN_USER),
        (b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12), Verdict.UNKNOWN_USER),
        (b"\x00\x01\x00\x08\x21\x12\xa4\x42" + bytes(12) + b"\x00\x06\x00\xffuser", Verdict.UNKNOWN_USER),
        (check(pwd="wrong" * 5), Verdict.BAD_INTEGRITY),
        (check(method=stun.Method.ALLOCATE), Verdict.IGNORED),
    ],
)
def test_everything_else_gets_no_answer(data: bytes, verdict: Verdict) -> None:
    ice, session = agent()
    assert ice.handle(data, b"a", HOST, 1.0) == Outcome(verdict)
    assert owner(ice, b"a") is None
    assert session.selected is None
    assert ice.counts[verdict] == 1


def test_a_changed_byte_is_not_authentic() -> None:
    ice, _ = agent()
    data = bytearray(check())
    data[21 + 16] ^= 1
    assert ice.handle(bytes(data), b"a", HOST, 1.0).verdict in (Verdict.BAD_INTEGRITY, Verdict.MALFORMED)


def test_no_integrity_and_an_unreadable_message() -> None:
    ice, _ = agent()
    plain = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    plain.attributes["USERNAME"] = "user:x"
    assert ice.handle(bytes(plain), b"a", HOST, 1.0).verdict is Verdict.BAD_INTEGRITY
    plain.add_fingerprint()
    broken = bytearray(bytes(plain))
    broken[-1] ^= 1
    assert ice.handle(bytes(broken), b"a", HOST, 1.0).verdict is Verdict.MALFORMED


def test_a_controlled_peer_is_told_of_the_role_conflict() -> None:
    ice, session = agent()
    outcome = ice.handle(check(controlled=True), b"a", HOST, 1.0)
    assert outcome.verdict is Verdict.ROLE_CONFLICT
    assert outcome.reply is not None
    reply = stun.parse_message(outcome.reply)
    assert reply.error_code == 487
    assert reply.check_message_integrity(PWD.encode())
    assert session.selected is None


def signed(attributes: list[tuple[int, bytes]], *, late: list[tuple[int, bytes]] | None = None, pwd: str = PWD) -> bytes:
    """A check with these attributes before its integrity, and others behind it."""

    def packed(pairs: list[tuple[int, bytes]]) -> bytes:
        return b"".join(struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4) for kind, value in pairs)

    body = packed([(0x0006, b"user:remote"), (0x0024, bytes(4)), *attributes])
    head = struct.pack("!HH", 1, len(body)) + b"\x21\x12\xa4\x42" + bytes(range(12))
    data = head + body
    data += struct.pack("!HH", 8, 20) + stun.message_integrity(data, pwd.encode()) + packed(late or [])
    return data[:2] + struct.pack("!H", len(data) - 20) + data[4:]


def unknown_in(reply: bytes) -> list[int]:
    """The types in the UNKNOWN-ATTRIBUTES of an answer."""
    at = 20
    while at < len(reply):
        kind, size = struct.unpack_from("!HH", reply, at)
        if kind == 0x000A:
            return [number for (number,) in struct.iter_unpack("!H", reply[at + 4 : at + 4 + size])]
        at += 4 + (size + 3 & ~3)
    return []


@given(
    st.lists(
        st.tuples(st.integers(0, 0xFFFF).filter(lambda kind: kind not in (6, 8, 0x8028)), st.binary(max_size=20)), max_size=20
    )
)
def test_what_must_be_understood_and_is_not_gets_an_error_that_names_it(attributes: list[tuple[int, bytes]]) -> None:
    """RFC 8489 sections 6.3.1 and 14.13."""
    ice, session = agent()
    outcome = ice.handle(signed(attributes), b"a", HOST, 1.0)
    if outcome.verdict is Verdict.MALFORMED:  # a value of an attribute we know that is no such value
        return
    unknown = [kind for kind, _ in attributes if kind < 0x8000 and kind not in UNDERSTOOD]
    assert outcome.reply is not None
    reply = stun.parse_message(outcome.reply)
    assert reply.check_message_integrity(PWD.encode())
    assert "FINGERPRINT" in reply.attributes
    assert reply.transaction_id == bytes(range(12))
    if unknown:
        assert outcome.verdict is Verdict.UNKNOWN_ATTRIBUTE
        assert reply.error_code == 420
        assert unknown_in(outcome.reply) == unknown[:MAX_UNKNOWN_LISTED]
        assert session.selected is None
        assert owner(ice, b"a") is None
    else:
        assert outcome.verdict in (Verdict.ANSWERED, Verdict.ROLE_CONFLICT)


@pytest.mark.parametrize("size", [0, 1, 4, 7])
def test_each_unknown_type_alone(size: int) -> None:
    ice, _ = agent()
    outcome = ice.handle(signed([(0x7ABC, bytes(size))]), b"a", HOST, 1.0)
    assert outcome.verdict is Verdict.UNKNOWN_ATTRIBUTE
    assert outcome.reply is not None
    assert unknown_in(outcome.reply) == [0x7ABC]


def test_unknown_attributes_behind_the_integrity_or_optional_ones_do_not_matter() -> None:
    ice, _ = agent()
    data = signed([(0xC057, bytes(4))], late=[(0x7ABC, b"x"), (0x0025, b"")])
    assert ice.handle(data, b"a", HOST, 1.0).verdict is Verdict.ANSWERED
    assert not ice.handle(data, b"b", HOST, 1.1).selected  # the nomination behind the integrity is nobody's word


def test_strangers_do_not_learn_what_we_understand() -> None:
    ice, _ = agent()
    assert ice.handle(signed([(0x7ABC, b"")], pwd="wrong" * 5), b"a", HOST, 1.0) == Outcome(Verdict.BAD_INTEGRITY)


def test_nomination_moves_the_address_and_plain_checks_do_not() -> None:
    ice, session = agent()
    ice.handle(check(), b"a", HOST, 1.0)
    assert not ice.handle(check(), b"b", HOST, 1.1).selected
    assert session.selected == b"a"
    assert ice.handle(check(use=True), b"b", HOST, 1.2).selected
    assert session.selected == b"b"


def test_a_silent_address_is_left_for_one_that_speaks() -> None:
    ice, session = agent()
    ice.handle(check(), b"a", HOST, 1.0)
    session.last_media = 5.0
    assert not ice.handle(check(), b"b", HOST, 5.5).selected
    assert ice.handle(check(), b"b", HOST, 6.1).selected


def test_media_moves_only_to_an_address_that_answers() -> None:
    ice, session = asking()
    outcome = ice.handle(check(use=True), b"b", HOST, 1.1)
    assert outcome.verdict is Verdict.ANSWERED
    assert not outcome.selected
    assert session.selected == b"a"
    proof = answer(outcome.ask)
    assert ice.handle(proof, b"c", HOST, 1.2) == Outcome(Verdict.IGNORED)  # from where nobody was asked
    assert ice.handle(answer(outcome.ask, PWD), b"b", HOST, 1.2) == Outcome(Verdict.BAD_INTEGRITY)
    assert ice.handle(proof[:-1] + bytes((proof[-1] ^ 1,)), b"b", HOST, 1.2) == Outcome(Verdict.MALFORMED)
    assert session.selected == b"a"
    assert ice.handle(proof, b"b", HOST, 1.2) == Outcome(Verdict.PROVEN, None, session, selected=True)
    assert session.selected == b"b"
    assert ice.handle(proof, b"b", HOST, 1.3) == Outcome(Verdict.IGNORED)  # once


def test_a_check_that_is_sent_again_from_elsewhere_moves_nothing() -> None:
    """Whoever saw it cannot answer what is asked back, and where it points at nobody does."""
    ice, session = asking()
    seen = check(use=True)
    ice.handle(seen, b"a", HOST, 1.1)
    for step in range(200):
        outcome = ice.handle(seen, b"victim", HOST, 2.0 + step / 10)
        assert not outcome.selected
        if outcome.ask is not None:
            guess = answer(outcome.ask, "guess" * 5)
            assert ice.handle(guess, b"victim", HOST, 2.0 + step / 10).verdict is Verdict.BAD_INTEGRITY
    assert session.selected == b"a"


def test_who_does_not_answer_is_asked_ten_times_in_half_a_minute() -> None:
    ice, session = asking()
    seen = check(use=True)
    asks = [2.0 + step / 100 for step in range(6000) if ice.handle(seen, b"victim", HOST, 2.0 + step / 100).ask]
    assert len([at for at in asks if at < 2.0 + ASKS_S]) == 10
    assert len(asks) == 20
    assert len([at for at in asks if at < 3.0]) == 5, "who can answer is asked often at first"
    session.last_check = session.last_media = 62.0
    anew = ice.handle(seen, b"victim", HOST, 2.0 + 2 * ASKS_S).ask
    assert ice.handle(answer(anew), b"victim", HOST, 2.1 + 2 * ASKS_S).selected


@pytest.mark.parametrize("username", ["user", "user:", "user:other", "user:theirs:", ":theirs", "theirs:user", ":", ""])
def test_a_check_names_both_sides(username: str) -> None:
    """RFC 8445 section 7.2.2."""
    ice = IceLite(0.0)
    session = ice.add("user", PWD, "peer", 0.0, REMOTE)
    message = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    message.attributes["USERNAME"] = username
    message.add_message_integrity(PWD.encode())
    assert ice.handle(bytes(message), b"a", HOST, 1.0) == Outcome(Verdict.UNKNOWN_USER)
    assert session.selected is None


def test_what_was_asked_is_repeated_as_it_was_then_asked_anew() -> None:
    ice, session = asking()
    first = ice.handle(check(use=True), b"b", HOST, 2.0).ask
    assert ice.handle(check(use=True), b"b", HOST, 2.0 + ASK_AGAIN_S / 2).ask is None
    assert ice.handle(check(use=True), b"b", HOST, 2.1).ask == first
    late = answer(first)
    anew = ice.handle(check(use=True), b"b", HOST, 2.1 + ANSWER_S).ask
    assert anew is not None
    assert anew != first
    assert ice.handle(late, b"b", HOST, 5.2).verdict is Verdict.IGNORED
    assert ice.handle(answer(anew), b"b", HOST, 5.3).selected
    asked = ice.handle(check(use=True), b"c", HOST, 6.0).ask
    assert ice.handle(answer(asked), b"c", HOST, 6.1 + ANSWER_S).verdict is Verdict.IGNORED
    assert session.selected == b"b"


def test_an_address_that_answered_lately_is_believed() -> None:
    ice, session = asking()
    asked = ice.handle(check(use=True), b"b", HOST, 1.1).ask
    assert ice.handle(answer(asked), b"b", HOST, 1.2).selected
    asked = ice.handle(check(use=True), b"a", HOST, 2.0).ask  # the first one never had to
    assert ice.handle(answer(asked), b"a", HOST, 2.1).selected
    assert ice.handle(check(use=True), b"b", HOST, 3.0).selected
    assert ice.handle(check(use=True), b"a", HOST, 4.0).selected
    later = 5.0 + CONSENT_S
    assert not ice.handle(check(use=True), b"b", HOST, later).selected
    assert session.selected == b"a"


def test_who_lost_an_address_or_restarts_is_asked_back_too() -> None:
    ice, session = asking()
    ice.add("second", PWD, "other", 0.0, REMOTE)
    late = 1.0 + DISCONNECT_S + 1
    assert ice.handle(check("second"), b"a", HOST, late).selected
    assert session.selected is None
    asked = ice.handle(check(), b"b", HOST, late)
    assert not asked.selected
    assert ice.handle(answer(asked.ask), b"b", HOST, late).selected
    remote = Remote("theirs", REMOTE.pwd, b"another")
    ice.restart(session, "new", PWD, remote)
    asked = ice.handle(check("new"), b"c", HOST, late + 0.1)
    assert not asked.selected
    assert session.restarting
    assert ice.handle(answer(asked.ask), b"c", HOST, late + 0.2).selected
    assert not session.restarting
    ice.remove(session)
    assert not session.proven


def test_a_restart_drops_the_old_credentials_and_keeps_the_address_until_the_next_check() -> None:
    ice, session = agent()
    ice.handle(check(), b"a", HOST, 1.0)
    ice.restart(session, "new", "n" * 22)
    assert session.selected == b"a"
    assert owner(ice, b"a") == "peer"
    assert ice.handle(check(use=True), b"b", HOST, 1.1).verdict is Verdict.UNKNOWN_USER
    assert ice.handle(check("new", "n" * 22), b"b", HOST, 1.2).selected
    assert session.selected == b"b"
    assert not session.restarting
    ice.restart(session, "newer", "m" * 22)
    assert not ice.handle(check("newer", "m" * 22), b"b", HOST, 1.3).selected
    assert not session.restarting
    with pytest.raises(ValueError, match="in use"):
        ice.restart(session, "newer", "x")
    with pytest.raises(ValueError, match="in use"):
        ice.add("newer", "x", "other", 1.0)


def test_an_address_in_use_by_a_live_peer_is_not_taken_over() -> None:
    ice, session = agent()
    other = ice.add("second", PWD, "other", 0.0)
    ice.handle(check(), b"a", HOST, 1.0)
    assert ice.handle(check("second"), b"a", HOST, 1.1).verdict is Verdict.TAKEN
    assert owner(ice, b"a") == "peer"
    late = 1.0 + DISCONNECT_S + 1
    assert ice.handle(check("second"), b"a", HOST, late).verdict is Verdict.ANSWERED
    assert owner(ice, b"a") == "other"
    assert session.selected is None
    assert other.selected == b"a"


def test_an_address_that_is_only_proven_may_change_hands() -> None:
    ice, session = agent()
    ice.add("second", PWD, "other", 0.0)
    ice.handle(check(), b"a", HOST, 1.0)
    ice.handle(check(), b"b", HOST, 1.0)
    assert ice.handle(check("second"), b"b", HOST, 1.1).verdict is Verdict.ANSWERED
    assert session.selected == b"a"
    assert b"b" not in session.addresses


def test_addresses_per_peer_are_bounded() -> None:
    ice, session = agent()
    for i in range(3 * MAX_ADDRESSES):
        ice.handle(check(), b"%d" % i, HOST, 1.0 + i / 100)
    assert len(session.addresses) == MAX_ADDRESSES
    assert session.selected in session.addresses
    assert len(ice.by_address) == MAX_ADDRESSES


def test_work_for_unproven_addresses_is_limited_and_proven_ones_go_on() -> None:
    ice, _ = agent()
    ice.handle(check(), b"good", HOST, 0.0)
    bad = check(pwd="w" * 22)
    verdicts = [ice.handle(bad, b"%d" % i, HOST, 0.0).verdict for i in range(int(2 * UNKNOWN_PER_S))]
    assert verdicts[-1] is Verdict.THROTTLED
    assert ice.handle(check(), b"good", HOST, 0.0).verdict is Verdict.ANSWERED
    assert ice.handle(check(), b"new", HOST, 1.0).verdict is Verdict.ANSWERED


def test_consent_and_removal() -> None:
    ice, session = agent()
    assert not session.alive(0.0)
    ice.handle(check(), b"a", HOST, 1.0)
    assert session.alive(1.0 + DISCONNECT_S)
    assert not session.alive(1.1 + DISCONNECT_S)
    session.last_media = 20.0
    assert session.alive(21.0)
    session.last_media = 1.5 + CONSENT_S
    assert not session.alive(1.5 + CONSENT_S)
    ice.remove(session)
    ice.remove(session)
    assert owner(ice, b"a") is None
    assert ice.handle(check(), b"a", HOST, 2.0).verdict is Verdict.UNKNOWN_USER


@pytest.mark.campaign(1)
@given(st.binary(max_size=120))
def test_any_bytes_have_a_verdict_and_prove_nothing(data: bytes) -> None:
    ice, session = agent()
    outcome = ice.handle(data, b"a", HOST, 1.0)
    assert outcome.reply is None
    assert session.selected is None


@pytest.mark.campaign(1)
@given(st.data())
def test_a_changed_check_proves_nothing(data: st.DataObject) -> None:
    ice, session = agent()
    good = check()
    position = data.draw(st.integers(0, len(good) - 9))  # the fingerprint alone may be broken without being authentic
    value = data.draw(st.integers(0, 255).filter(lambda v: v != good[position]))
    changed = good[:position] + bytes((value,)) + good[position + 1 :]
    assert ice.handle(changed, b"a", HOST, 1.0).reply is None
    assert session.selected is None


class Agent(RuleBasedStateMachine):
    """Two peers, five addresses, checks of every kind, restarts, time: what must always hold."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1.0
        self.ice = IceLite(0.0)
        self.generation = [0, 0]
        self.sessions: list[IceSession] = [self.ice.add(self._ufrag(i), PWD, i, 0.0, REMOTE) for i in (0, 1)]
        self.reached: set[bytes] = {b"a", b"b", b"c"}
        """Where the peers really are; at ``d`` and ``e`` nobody answers."""
        self.proven: dict[bytes, set[int]] = {}
        self.first: list[bytes | None] = [None, None]

    def _ufrag(self, peer: int) -> str:
        return f"p{peer}g{self.generation[peer]}"

    @rule(peer=st.integers(0, 1), address=st.sampled_from([b"a", b"b", b"c", b"d", b"e"]), use=st.booleans())
    def good_check(self, peer: int, address: bytes, use: bool) -> None:
        outcome = self.ice.handle(check(self._ufrag(peer), use=use), address, HOST, self.now)
        assert outcome.verdict in (Verdict.ANSWERED, Verdict.TAKEN)
        if outcome.verdict is Verdict.ANSWERED:
            self.proven.setdefault(address, set()).add(peer)
            assert owner(self.ice, address) == peer
            if outcome.ask is not None and address in self.reached:
                assert self.ice.handle(answer(outcome.ask), address, HOST, self.now).verdict is Verdict.PROVEN
            session = self.sessions[peer]
            if self.first[peer] is None:
                self.first[peer] = session.selected
            assert not use or address not in self.reached or session.selected == address or address in session.asked
        else:
            assert owner(self.ice, address) == 1 - peer

    @rule(
        peer=st.integers(0, 1), address=st.sampled_from([b"a", b"b", b"x"]), kind=st.sampled_from(["pwd", "old", "cut", "role"])
    )
    def bad_check(self, peer: int, address: bytes, kind: str) -> None:
        before = [(s.selected, dict(s.addresses), s.last_check) for s in self.sessions]
        ufrag = self._ufrag(peer)
        data = {
            "pwd": check(ufrag, "w" * 22, use=True),
            "old": check(f"p{peer}g{self.generation[peer] - 1}", use=True),
            "cut": check(ufrag)[:-8],
            "role": check(ufrag, controlled=True),
        }[kind]
        outcome = self.ice.handle(data, address, HOST, self.now)
        assert outcome.verdict is not Verdict.ANSWERED
        assert [(s.selected, dict(s.addresses), s.last_check) for s in self.sessions] == before

    @rule(peer=st.integers(0, 1))
    def restart(self, peer: int) -> None:
        self.generation[peer] += 1
        selected = self.sessions[peer].selected
        self.ice.restart(self.sessions[peer], self._ufrag(peer), PWD, REMOTE)
        assert self.sessions[peer].selected == selected

    @rule(peer=st.integers(0, 1))
    def media(self, peer: int) -> None:
        self.sessions[peer].last_media = self.now

    @rule(step=st.sampled_from([0.1, 0.9, 1.5, 9.0, 31.0]))
    def time(self, step: float) -> None:
        self.now += step

    @precondition(lambda self: self.generation[0] > 0)
    @rule()
    def leave_and_come_back(self) -> None:
        self.ice.remove(self.sessions[0])
        assert all(s is not self.sessions[0] for s in self.ice.by_address.values())
        self.generation[0] += 1
        self.sessions[0] = self.ice.add(self._ufrag(0), PWD, 0, self.now, REMOTE)
        self.first[0] = None

    @invariant()
    def addresses_belong_to_whom_they_were_proven(self) -> None:
        for address, session in self.ice.by_address.items():
            assert session.owner in self.proven[address]
            assert address in session.addresses
        for session in self.sessions:
            assert session.selected is None or self.ice.by_address.get(session.selected) is session
            assert set(session.asked) | set(session.proven) <= set(session.addresses)
        assert len(self.ice.by_ufrag) == 2

    @invariant()
    def but_for_the_first_only_addresses_that_answered_are_sent_to(self) -> None:
        for session, first in zip(self.sessions, self.first, strict=True):
            assert session.selected in {None, first, *self.reached}


TestAgent = pytest.mark.campaign(2)(Agent.TestCase)
TestAgent.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
