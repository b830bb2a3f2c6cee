"""What a policy would do that nobody can mean: asked of files alone, never of what an earlier version has kept with a case. Sans-I/O."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from server.transactions.policy_codes import unknown

if TYPE_CHECKING:
    from server.transactions.policy import Policy

LONGEST_S = 180
"""Pictures of one attempt come no longer than that (``docs/tap.md``)."""
REST_S = 6.0
"""The longest rest before an action; colours, the two white ones among them, each at its longest, and how late the last may be seen. All as in
``verification.challenge.policy`` and ``colours``; a test compares them."""
COLOURS = 8
COLOUR_S = {"steps": 1.6, "slow": 3.0}
DELAY_S = 1.2


def longest_s(policy: "Policy", *, replaced: bool = True) -> float:
    """So long the challenge goes on for who takes all the time that they have. ``replaced``: and has every action exchanged that may be, at its end."""
    rules = policy.challenge
    each = REST_S + rules.action_s
    longest = rules.actions_without_light * each
    if rules.light != "none":
        longest = max(longest, rules.actions * each + COLOURS * COLOUR_S[rules.light] + DELAY_S)
    return rules.settle_s + longest + (2 * each * rules.replacements if replaced else 0.0)


NOBODY_FEEDS = {
    "device_attestation": "nothing here attests a device yet: no attempt could pass",
    "second_channel": "nothing here knows of a second channel yet: no attempt could pass",
}
"""Of ``challenge.also_require``."""


def senseless(policy: "Policy") -> Iterator[str]:
    yield from (f"refer.reasons: {wrong}" for wrong in unknown(policy.refer.reasons))
    for what in sorted(policy.challenge.also_require & NOBODY_FEEDS.keys()):
        yield f"challenge.also_require: {what}: {NOBODY_FEEDS[what]}"
    yield from _times(policy)
    yield from _amounts(policy)


def _times(policy: "Policy") -> Iterator[str]:
    if "challenge" not in policy.assurance:
        return
    most = min(policy.attempt_s, LONGEST_S)
    if (longest := longest_s(policy)) > most:
        yield f"attempt_s: the challenge alone may take {longest:g} s; {most:g} are looked at"
    if "document" in policy.assurance and (longest := longest_s(policy, replaced=False) + 2 * policy.document_s) > most:
        yield f"attempt_s: challenge and document may take {longest:g} s; {most:g} are looked at"


def _amounts(policy: "Policy") -> Iterator[str]:
    """What the risk looks at must be found, or it would be nothing."""
    amounts = [key for key, rule in policy.details.items() if rule.type == "amount"]
    for key in ("amount", "currency"):
        if key in policy.details and policy.details[key].type != key:
            yield f"details.{key}: of the type `{key}`, or call it something else"
    if policy.risk.amount not in amounts and policy.risk.amount != "amount":
        yield f"risk.amount: no detail of the type `amount` is called {policy.risk.amount!r}"
    if amounts and policy.risk.amount not in amounts:
        yield f"risk.amount: say which of {', '.join(amounts)} is the transaction's amount"
