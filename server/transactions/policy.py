"""What a type of transaction asks for: checks, attempts, times, who reviews, how much risk. Sans-I/O.

One TOML file for each type (``policies/``, ``docs/transactions.md``). What a key cannot mean is refused when the file is read, with its place.
Times are seconds and say so in their names; scores and thresholds are 0 to 1.
"""

import difflib
import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from server.errors import ConfigError, Invalid
from server.transactions.policy_details import DetailRule, check_keys, faults
from server.transactions.policy_sense import senseless

MAX_TEXT = 64 * 1024
TYPE_PATTERN = "^[a-z][a-z0-9_]{2,63}$"
_HASHED = b"tongping policy 1\0"


class PolicyInvalid(ConfigError):
    """A policy that cannot be meant; ``detail`` says which file, where and why."""

    code = "policy_invalid"


class Check(StrEnum):
    """What an attempt can be asked to pass."""

    MATCH = "match"
    PAD = "pad"
    CHALLENGE = "challenge"
    LIGHT = "light"
    DOCUMENT = "document"


Words = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
Code = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{1,63}$")]
PackName = Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9-]{0,39}$")]
Name = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_-]{0,39}$")]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Title(_Part, frozen=True, kw_only=True):
    zh: Words
    en: Words


class PadThresholds(_Part, frozen=True, kw_only=True):
    """Stricter than the pack's own; where they are laxer the pack's hold."""

    pad_accept: Share
    pad_refer: Share


class ChallengeRules(_Part, frozen=True, kw_only=True):
    """What an attempt on the live stream asks for; the words of ``docs/verification-liveness.md``. Times in seconds."""

    actions: Annotated[int, msgspec.Meta(ge=1, le=6)] = 3
    actions_without_light: Annotated[int, msgspec.Meta(ge=1, le=6)] = 5
    action_s: Annotated[float, msgspec.Meta(ge=1, le=60)] = 5.0
    light: Literal["steps", "slow", "none"] = "steps"
    replacements: Annotated[int, msgspec.Meta(ge=0, le=5)] = 2
    replacements_accepted: Annotated[int, msgspec.Meta(ge=0, le=5)] = 1
    mistakes: Annotated[int, msgspec.Meta(ge=0, le=5)] = 1
    settle_s: Annotated[float, msgspec.Meta(ge=1, le=120)] = 12.0
    also_require: frozenset[Literal["device_attestation", "second_channel", "agent"]] = frozenset()
    accept_without_light: bool = False


REFERRED_BY_DEFAULT = frozenset(
    """action_replaced actions_left_none assurance_missing deadline_missed document_back_missing document_not_shown document_portrait_unsure
    document_unreadable engine_busy engine_lost evidence_missing light_behind light_declined light_unseen pad_too_few pad_unsure portrait_unsure
    stream_gap""".split()  # noqa: SIM905
)


class ReferRules(_Part, frozen=True, kw_only=True):
    """What an agent may still approve. ``reasons``: codes that send an attempt to review instead of refusing it.

    ``missing_pad``: so does a pack without detection of presentation attacks, where the policy asks for that check.
    """

    reasons: frozenset[Code] = REFERRED_BY_DEFAULT
    missing_pad: bool = True


class WithoutFace(_Part, frozen=True, kw_only=True):
    """Whether an agent may identify a customer without a face check, for others to review, and by how many kinds of proof at least."""

    allowed: bool = True
    methods: Annotated[int, msgspec.Meta(ge=1, le=4)] = 2


class RiskLimits(_Part, frozen=True, kw_only=True):
    """Scores from which an attempt is referred and from which it is rejected, and the rules by name (``docs/risk.md``). ``amount``: which detail is."""

    refer_at: Share = 0.5
    reject_at: Share = 0.85
    rules: Name = "default"
    amount: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,63}$")] = "amount"


class EvidenceRules(_Part, frozen=True, kw_only=True):
    """``keep_reference``: the picture that attempts are compared with is kept with what was seen in them, for who reviews it: the portrait that came with the case,
    or the picture of the enrolment, where one is kept with the template."""

    keep_reference: bool = True


class Policy(_Part, frozen=True, kw_only=True, dict=True):
    """A policy as it was read. ``hash`` names its meaning: two files that say the same have the same."""

    type: Annotated[str, msgspec.Meta(pattern=TYPE_PATTERN)]
    title: Title
    assurance: frozenset[Check]
    """The checks that must pass."""
    fmr: Annotated[float, msgspec.Meta(ge=1e-6, le=1e-2)] = 1e-4
    """Operating point of the comparison: a false match rate of the pack."""
    thresholds: dict[PackName, PadThresholds] = {}
    challenge: ChallengeRules = ChallengeRules()
    attempts: Annotated[int, msgspec.Meta(ge=1, le=5)] = 3
    attempt_s: Annotated[int, msgspec.Meta(ge=20, le=600)] = 120
    """How long one attempt may take."""
    document_s: Annotated[int, msgspec.Meta(ge=15, le=60)] = 45
    """How long there is to show each side of a document."""
    expires_s: Annotated[int, msgspec.Meta(ge=60, le=3600)] = 900
    """How long the case stays open for attempts."""
    waiting_s: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 1800
    """How much longer, in all, while the customer waits for a person whom they have asked for, or talks to one."""
    refer: ReferRules = ReferRules()
    reviewers: Annotated[int, msgspec.Meta(ge=1, le=2)] = 1
    own_session: bool = False
    """Whether an agent may review a case of a session that they were in."""
    review_s: Annotated[int, msgspec.Meta(ge=60, le=604_800)] = 3600
    """How long a referred case waits for its review; then it is declined."""
    risk: RiskLimits = RiskLimits()
    without_face: WithoutFace = WithoutFace()
    retention_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] = 180
    evidence: EvidenceRules = EvidenceRules()
    details: dict[str, DetailRule] = {}
    clip_allowed: bool = False
    """Whether uploaded pictures or a clip may take the place of the live stream. What they cannot show is missing evidence."""

    @property
    def canonical(self) -> bytes:
        """JSON with every default written out, sorted; ``restore_policy`` reads it again."""
        return msgspec.json.encode(self, order="sorted")

    @cached_property
    def hash(self) -> str:
        """Hex SHA-256 of the canonical form."""
        return canonical_hash(self.canonical)

    def pad_thresholds(self, pack: str, accept: float, refer: float) -> tuple[float, float]:
        """(accept, refer) for a pack whose own are given: the stricter of each."""
        own = self.thresholds.get(pack)
        if own is None:
            return accept, refer
        return max(accept, own.pad_accept), max(refer, own.pad_refer)

    def check_details(self, details: Mapping[str, object]) -> None:
        """Raises Invalid, naming every key that is missing, unknown or not of its type; never a value."""
        wrong = list(faults(self.details, details))
        if wrong:
            raise Invalid("; ".join(wrong[:8]) + ("; and more" if len(wrong) > 8 else ""))


def read_policy(text: str, *, name: str) -> Policy:
    """The policy of a TOML file; ``name`` stands before what is wrong with it. Raises PolicyInvalid."""
    if len(text) > MAX_TEXT:
        raise PolicyInvalid(f"{name}: more than {MAX_TEXT} characters")
    try:
        tree = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PolicyInvalid(f"{name}: not valid TOML: {error}") from None
    return _convert(tree, name)


def canonical_hash(canonical: bytes) -> str:
    """Of the bytes that were kept: another version may write the same policy with keys that were not there before."""
    return hashlib.sha256(_HASHED + canonical).hexdigest()


def restore_policy(canonical: bytes, *, name: str = "kept policy") -> Policy:
    """What ``Policy.canonical`` wrote. Raises PolicyInvalid."""
    try:
        tree = msgspec.json.decode(canonical)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PolicyInvalid(f"{name}: not valid JSON: {error}") from None
    return _convert(tree, name, kept=True)


_T = TypeVar("_T")
_TABLES: tuple[tuple[str, type], ...] = (("details", DetailRule), ("thresholds", PadThresholds))


def _convert(tree: Any, name: str, *, kept: bool = False) -> Policy:
    for table, part in _TABLES:  # first, because of a key of these the place would not be said
        entries = tree.get(table) if isinstance(tree, dict) else None
        for key, value in entries.items() if isinstance(entries, dict) else ():
            _read(value, part, name, f"{table}.{key[:60]}")
    policy = _read(tree, Policy, name, "")
    wrong = [*_contradictions(policy), *([] if kept else (*_unused(tree, policy), *senseless(policy)))]
    if wrong:
        raise PolicyInvalid(f"{name}: {wrong[0]}")
    return policy


def _read(value: Any, type: type[_T], name: str, prefix: str) -> _T:
    try:
        return msgspec.convert(value, type, strict=True)
    except msgspec.ValidationError as error:
        reason, _, where = str(error).partition(" - at `$")
        place = (prefix + where.rstrip("`")).lstrip(".") or "top of the file"
        raise PolicyInvalid(f"{name}: {place}: {reason}{_near(reason)}") from None
    except RecursionError:
        raise PolicyInvalid(f"{name}: nested too deeply") from None


_FIELDS = tuple(
    field
    for part in (Policy, Title, PadThresholds, ChallengeRules, ReferRules, RiskLimits, WithoutFace, EvidenceRules, DetailRule)
    for field in part.__struct_fields__
)


def _near(reason: str) -> str:
    """A hint for a key that is nearly one, such as ``expires_ms``."""
    if "unknown field" not in reason:
        return ""
    near = difflib.get_close_matches(reason.split("`")[1], _FIELDS, n=1, cutoff=0.6)
    if not near:
        return ""
    unit = {"_s": ", in seconds", "_days": ", in days"}
    return f"; did you mean {near[0]}{next((text for end, text in unit.items() if near[0].endswith(end)), '')}?"


def _contradictions(policy: Policy) -> Iterator[str]:
    """What one key alone cannot tell."""
    asked, challenge = policy.assurance, policy.challenge
    if Check.MATCH not in asked:
        yield "assurance: `match` must be there: without it nobody is recognised"
    if Check.LIGHT in asked and Check.CHALLENGE not in asked:
        yield "assurance: `light` is a part of the challenge, which is not asked for"
    if Check.DOCUMENT in asked and Check.CHALLENGE not in asked:
        yield "assurance: `document` is shown after the challenge, which is not asked for"
    if Check.LIGHT in asked and challenge.light == "none":
        yield "challenge.light: `none`, but assurance asks for `light`"
    if Check.LIGHT in asked and challenge.accept_without_light:
        yield "challenge.accept_without_light: true, but assurance asks for `light`"
    if policy.thresholds and Check.PAD not in asked:
        yield "thresholds: they are of the check `pad`, which assurance does not ask for"
    for pack, own in policy.thresholds.items():
        if own.pad_refer > own.pad_accept:
            yield f"thresholds.{pack}: pad_refer is above pad_accept"
    if policy.attempt_s > policy.expires_s:
        yield "attempt_s: longer than expires_s"
    if Check.CHALLENGE in asked:
        if challenge.replacements_accepted > challenge.replacements:
            yield "challenge.replacements_accepted: more than replacements"
        if "agent" in challenge.also_require and "assurance_missing" not in policy.refer.reasons:
            yield "challenge.also_require: an agent must look at it, but refer.reasons has no `assurance_missing`"
        if policy.clip_allowed and "evidence_missing" not in policy.refer.reasons:
            yield "clip_allowed: pictures cannot answer the challenge, and refer.reasons has no `evidence_missing`: none could pass"
    if policy.risk.refer_at > policy.risk.reject_at:
        yield "risk.refer_at: above risk.reject_at"
    yield from check_keys(policy.details)


def _unused(tree: Mapping[str, Any], policy: Policy) -> Iterator[str]:
    """What the file says of something that it does not ask for, and what it says twice."""
    if "document_s" in tree and Check.DOCUMENT not in policy.assurance:
        yield "document_s: there, but assurance does not ask for `document`"
    if "challenge" in tree and Check.CHALLENGE not in policy.assurance:
        yield "challenge: there, but assurance does not ask for it"
    if Check.PAD not in policy.assurance and "missing_pad" in tree.get("refer", {}):
        yield "refer.missing_pad: there, but assurance does not ask for `pad`"
    for place, values in (
        ("assurance", tree["assurance"]),
        ("refer.reasons", tree.get("refer", {}).get("reasons", [])),
        ("challenge.also_require", tree.get("challenge", {}).get("also_require", [])),
    ):
        if len(set(values)) != len(values):
            yield f"{place}: something is there twice"
