"""Policies: what is read, what is refused and where, what the hash is of."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.challenges import challenge_policy
from server.errors import Invalid
from server.services.verification_live import TAP_S
from server.transactions import policy_sense
from server.transactions.policy import MAX_TEXT, Check, Policy, PolicyInvalid, read_policy, restore_policy
from verification.challenge.colours import SLOW_FOR_S
from verification.challenge.events import Tick
from verification.challenge.machine import ChallengeMachine
from verification.challenge.policy import ChallengePolicy, Limits
from verification.challenge.script import draw_script
from verification.types import Ability

HEAD = """
type = "limit_change"
title = { zh = "调整限额", en = "Change of a limit" }
"""
PLAIN = HEAD + 'assurance = ["match", "pad", "challenge"]\n'


def policy(more: str = "", base: str = PLAIN) -> Policy:
    return read_policy(base + more, name="limit.toml")


def refused(more: str, base: str = PLAIN) -> str:
    with pytest.raises(PolicyInvalid) as caught:
        policy(more, base)
    assert caught.value.detail.startswith("limit.toml: ")
    return caught.value.detail.removeprefix("limit.toml: ")


def test_what_is_not_said_has_a_careful_value() -> None:
    found = policy()
    assert found.assurance == {Check.MATCH, Check.PAD, Check.CHALLENGE}
    assert (found.fmr, found.attempts, found.reviewers, found.own_session, found.clip_allowed) == (1e-4, 3, 1, False, False)
    assert found.risk.refer_at <= found.risk.reject_at


@pytest.mark.parametrize(
    ("more", "place", "why"),
    [
        ("expires_ms = 5", "top of the file", "did you mean expires_s, in seconds?"),
        ('expires_s = "15m"', "expires_s", "Expected `int`"),
        ("expires_s = 3601", "expires_s", "<= 3600"),
        ("attempts = 6", "attempts", "<= 5"),
        ("attempts = 0", "attempts", ">= 1"),
        ("reviewers = 3", "reviewers", "<= 2"),
        ("fmr = 0.1", "fmr", "<= 0.01"),
        ("fmr = nan", "fmr", ">="),
        ("own_session = 1", "own_session", "Expected `bool`"),
        ("retention_days = 0", "retention_days", ">= 1"),
        ("attempt_s = 600\nexpires_s = 60", "attempt_s", "longer than expires_s"),
        ("attempt_s = 110", "attempt_s", "the challenge alone may take 111 s; 110 are looked at"),
        ("attempt_s = 600\n[challenge]\nactions = 6\naction_s = 20", "attempt_s", "; 180 are looked at"),
        ("attempt_s = 120\n[challenge]\nreplacements = 3", "attempt_s", "the challenge alone may take 133 s"),
        ("[details.amount]\ntype = 'integer'", "details.amount", "of the type `amount`"),
        ("[details.currency]\ntype = 'string'", "details.currency", "of the type `currency`"),
        ("[details.limit]\ntype = 'amount'", "risk.amount", "say which of limit"),
        ("[risk]\namount = 'limit'", "risk.amount", "no detail of the type"),
        ("[risk]\namount = 'limit'\n[details.limit]\ntype = 'integer'", "risk.amount", "no detail of the type"),
        ("[without_face]\nmethods = 5", "without_face.methods", "<= 4"),
        ("[without_face]\nallow = false", "without_face", "did you mean allowed?"),
        ("[risk]\nrefer_at = 0.9\nreject_at = 0.5", "risk.refer_at", "above risk.reject_at"),
        ("[risk]\nreject_at = inf", "risk.reject_at", "<= 1.0"),
        ("[risk]\nrules = 'Other Rules'", "risk.rules", "regex"),
        ("[thresholds.base]\npad_accept = 0.5\npad_refer = 0.7", "thresholds.base", "pad_refer is above pad_accept"),
        ("[thresholds.base]\npad_accept = 0.5", "thresholds.base", "missing required field `pad_refer`"),
        ("[challenge]\nactions = 9", "challenge.actions", "<= 6"),
        ("[challenge]\nlight = 'blinking'", "challenge.light", "Invalid enum value"),
        (
            "[challenge]\nreplacements = 1\nreplacements_accepted = 2",
            "challenge.replacements_accepted",
            "more than replacements",
        ),
        ("[challenge]\nalso_require = ['agent', 'agent']", "challenge.also_require", "twice"),
        ("[challenge]\nalso_require = ['agent']\n[refer]\nreasons = []", "challenge.also_require", "assurance_missing"),
        ("clip_allowed = true\n[refer]\nreasons = ['pad_unsure']", "clip_allowed", "none could pass"),
        ("[refer]\nreasons = ['pad_unsure', 'pad_unsure']", "refer.reasons", "twice"),
        ("[refer]\nreasons = ['Pad Unsure']", "refer.reasons", "regex"),
        ("[details.amount]\ntyp = 'amount'", "details.amount", "did you mean type?"),
        ("[details.new_pin]\ntype = 'digits'", "details.new_pin", "a secret is no detail"),
        ("[details.password]\ntype = 'string'", "details.password", "a secret is no detail"),
        ("[details.Amount]\ntype = 'amount'", "details", "the key 'Amount'"),
        ("[details.kind]\ntype = 'digits'\nvalues = ['1']", "details.kind", "values are for strings"),
        ("[details.kind]\ntype = 'string'\nvalues = ['']", "details.kind", "empty"),
        ("details = 3", "details", "Expected `object`"),
    ],
)
def test_refused_with_place_and_reason(more: str, place: str, why: str) -> None:
    found = refused(more)
    assert found.startswith(f"{place}"), found
    assert why in found


@pytest.mark.parametrize(
    ("assurance", "more", "why"),
    [
        ('["pad", "challenge"]', "", "`match` must be there"),
        ("[]", "", "`match` must be there"),
        ('["match", "match"]', "", "twice"),
        ('["match", "face"]', "", "Invalid enum value 'face'"),
        ('["match", "light"]', "", "`light` is a part of the challenge"),
        ('["match", "challenge", "light"]', "[challenge]\nlight = 'none'", "`none`, but assurance asks"),
        ('["match", "challenge", "light"]', "[challenge]\naccept_without_light = true", "true, but assurance asks"),
        ('["match", "pad"]', "[challenge]\nactions = 3", "assurance does not ask for it"),
        ('["match"]', "[thresholds.base]\npad_accept = 0.8\npad_refer = 0.5", "does not ask for"),
        ('["match", "document"]', "", "`document` is shown after the challenge"),
        ('["match", "challenge", "document"]', "", "challenge and document may take"),
        (
            '["match", "challenge", "document"]',
            "attempt_s = 600\ndocument_s = 60\n[challenge]\nsettle_s = 60",
            "180 are looked at",
        ),
        ('["match", "challenge"]', "document_s = 30", "does not ask for `document`"),
        ('["match"]', "[refer]\nmissing_pad = false", "does not ask for `pad`"),
    ],
)
def test_what_contradicts_itself_is_refused(assurance: str, more: str, why: str) -> None:
    assert why in refused(more, HEAD + f"assurance = {assurance}\n")


@pytest.mark.parametrize("type", ["ab", "Limit", "1st", "a" * 65, "limit-change", ""])
def test_a_type_is_a_word(type: str) -> None:
    assert refused("", f'type = "{type}"\ntitle = {{ zh = "a", en = "b" }}\nassurance = ["match"]').startswith("type")


def test_what_is_not_toml_or_too_long_is_refused() -> None:
    assert "not valid TOML" in refused("type = [")
    assert "more than" in refused("#" * MAX_TEXT)
    assert refused("", "").startswith("top of the file")
    assert "TOML" in refused("", "a = " + "[" * 30_000)


def test_the_hash_is_of_the_meaning() -> None:
    plain = policy()
    assert policy("attempts = 3 # the same\n[risk]\nrefer_at = 0.5").hash == plain.hash
    assert read_policy(PLAIN.replace('"match", "pad"', '"pad", "match"'), name="other").hash == plain.hash
    seen = {plain.hash}
    for more in (
        "attempts = 2",
        "fmr = 1e-3",
        "[risk]\nrefer_at = 0.4",
        "[refer]\nmissing_pad = false",
        "[details.a]\ntype = 'string'",
    ):
        seen.add(policy(more).hash)
    assert len(seen) == 6
    assert all(len(one) == 64 for one in seen)


def test_a_kept_policy_is_the_same_again() -> None:
    found = policy("[details.amount]\ntype = 'amount'\n[thresholds.open]\npad_accept = 0.8\npad_refer = 0.6")
    again = restore_policy(found.canonical)
    assert again == found
    assert again.hash == found.hash


@pytest.mark.parametrize("bad", [b"", b"{", b"[]", b"\xff", b'{"type":"limit_change"}', b"[" * 100_000])
def test_a_broken_kept_policy_is_refused(bad: bytes) -> None:
    with pytest.raises(PolicyInvalid):
        restore_policy(bad)


def test_a_policy_only_tightens_the_pack() -> None:
    found = policy("[thresholds.open]\npad_accept = 0.8\npad_refer = 0.4")
    assert found.pad_thresholds("open", 0.7, 0.5) == (0.8, 0.5)
    assert found.pad_thresholds("base", 0.7, 0.5) == (0.7, 0.5)


DETAILS = """
[details.amount]
type = "amount"
[details.currency]
type = "currency"
[details.times]
type = "integer"
required = false
[details.urgent]
type = "boolean"
required = false
[details.on]
type = "date"
required = false
[details.card]
type = "digits"
max_length = 4
required = false
[details.kind]
type = "string"
values = ["day", "month"]
required = false
[details.notes]
type = "strings"
max_length = 10
required = false
"""
RIGHT: dict[str, object] = {"amount": "1250.00", "currency": "CNY"}


def test_details_that_fit_are_taken() -> None:
    found = policy(DETAILS)
    found.check_details(RIGHT)
    found.check_details(
        RIGHT | {"times": -3, "urgent": False, "on": "2026-11-22", "card": "0042", "kind": "day", "notes": ["a", "b"]}
    )


@pytest.mark.parametrize(
    ("details", "place"),
    [
        ({"amount": "1"}, "details.currency: is missing"),
        (RIGHT | {"colour": "red"}, "unknown key 'colour'"),
        (RIGHT | {"amount": "1,250"}, "details.amount"),
        (RIGHT | {"amount": 1250}, "details.amount"),
        (RIGHT | {"amount": "01"}, "details.amount"),
        (RIGHT | {"amount": "-1"}, "details.amount"),
        (RIGHT | {"amount": "nan"}, "details.amount"),
        (RIGHT | {"amount": "1.234"}, "details.amount"),
        (RIGHT | {"currency": "cny"}, "details.currency"),
        (RIGHT | {"times": True}, "details.times"),
        (RIGHT | {"times": 2**53 + 1}, "details.times"),
        (RIGHT | {"urgent": "yes"}, "details.urgent"),
        (RIGHT | {"on": "2026-13-01"}, "details.on"),
        (RIGHT | {"card": "00421"}, "details.card"),
        (RIGHT | {"card": "١٢"}, "details.card"),
        (RIGHT | {"card": ""}, "details.card"),
        (RIGHT | {"kind": "year"}, "details.kind"),
        (RIGHT | {"notes": "a"}, "details.notes"),
        (RIGHT | {"notes": ["a"] * 33}, "details.notes"),
        (RIGHT | {"notes": ["a" * 11]}, "details.notes"),
        (RIGHT | {"notes": [1]}, "details.notes"),
    ],
)
def test_details_that_do_not_fit_are_named(details: dict[str, object], place: str) -> None:
    with pytest.raises(Invalid) as caught:
        policy(DETAILS).check_details(details)
    assert place in caught.value.detail


def test_no_value_of_a_detail_is_quoted_and_the_list_ends() -> None:
    with pytest.raises(Invalid) as caught:
        policy(DETAILS).check_details({"amount": "13800138000x"} | {f"k{n}": n for n in range(20)})
    assert "13800138000" not in caught.value.detail
    assert caught.value.detail.endswith("and more")


@given(st.text(max_size=200))
def test_no_text_does_more_than_refuse(text: str) -> None:
    try:
        read_policy(text, name="x")
    except PolicyInvalid:
        pass


@given(st.dictionaries(st.sampled_from(["type", "title", "assurance", "risk", "details", "thresholds", "refer", "challenge"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=8,
)))  # fmt: skip
def test_no_tree_does_more_than_refuse(tree: dict[str, object]) -> None:
    import msgspec

    with pytest.raises(PolicyInvalid):
        restore_policy(msgspec.json.encode(tree))


def test_the_longest_challenge_is_that_of_the_machine() -> None:
    """The numbers are the machine's own; these modules do not know one another."""
    own, limits = ChallengePolicy(), Limits()
    assert (own.rest_s, own.colours + 2, limits.light_delay_s[1]) == (
        policy_sense.REST_S,
        policy_sense.COLOURS,
        policy_sense.DELAY_S,
    )
    assert {"steps": own.colour_s[1], "slow": SLOW_FOR_S} == policy_sense.COLOUR_S
    assert policy_sense.LONGEST_S == TAP_S
    found = policy("[challenge]\nactions = 1\nactions_without_light = 1\nreplacements = 0\nreplacements_accepted = 0")
    machine = ChallengeMachine(
        draw_script(b"n" * 32, frozenset(Ability), challenge_policy(found)), challenge_policy(found), limits
    )
    machine.start(0.0)
    machine.feed(Tick(policy_sense.longest_s(found)))
    assert machine.verdict().checks, "nobody answered: it has ended"
    assert machine.due_s is None


def test_what_was_kept_is_read_whatever_is_asked_of_files_now() -> None:
    """A running case is not to lose its policy because a later version asks for more."""
    kept = json.loads(policy().canonical)
    kept["attempt_s"] = 60
    kept["details"] = {"limit": {"type": "amount"}, "currency": {"type": "string"}}
    del kept["risk"]["amount"], kept["without_face"]
    found = restore_policy(json.dumps(kept).encode())
    assert (found.attempt_s, found.risk.amount, found.without_face.allowed) == (60, "amount", True)
