"""Which details a type of transaction has, and of what kind. Sans-I/O."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import msgspec

MAX_KEYS = 64
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
_SECRETS = re.compile(r"(.*_)?(password|passwd|pin|cvv|cvc|otp|secret)")

DetailType = Literal["string", "integer", "boolean", "amount", "currency", "digits", "date", "strings"]
_FORMS = {
    "amount": (re.compile(r"(0|[1-9][0-9]{0,14})(\.[0-9]{1,2})?"), 'an amount such as "1250.00", as a string'),
    "currency": (re.compile(r"[A-Z]{3}"), 'a currency of ISO 4217, such as "CNY"'),
    "digits": (re.compile(r"[0-9]+"), "digits, as a string"),
    "date": (re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"), 'a date such as "2026-11-22"'),
}
MOST_STRINGS = 32
MAX_INTEGER = 2**53 - 1


class DetailRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key of a transaction's details. ``max_length``: of each string, in characters; ``values``: the only strings that may stand there."""

    type: DetailType
    required: bool = True
    max_length: Annotated[int, msgspec.Meta(ge=1, le=2000)] = 120
    values: tuple[str, ...] = ()


def check_keys(rules: Mapping[str, DetailRule]) -> Iterator[str]:
    """What is wrong with the rules themselves."""
    if len(rules) > MAX_KEYS:
        yield f"details: more than {MAX_KEYS} keys"
    for key, rule in rules.items():
        if not _KEY.fullmatch(key):
            yield f"details: the key {key[:60]!r} is not of a-z, 0-9 and _, a letter first, 40 at most"
        elif _SECRETS.fullmatch(key):
            yield f"details.{key}: a secret is no detail; send a reference to it"
        if rule.values and rule.type != "string":
            yield f"details.{key}: values are for strings"
        if any(not value or len(value) > rule.max_length for value in rule.values):
            yield f"details.{key}: a value is empty or longer than max_length"


def faults(rules: Mapping[str, DetailRule], details: Mapping[str, object]) -> Iterator[str]:
    """What is missing, unknown or of another kind, by key; no value is quoted."""
    for key, rule in rules.items():
        if key not in details:
            if rule.required:
                yield f"details.{key}: is missing"
        elif (expected := _fault(rule, details[key])) is not None:
            yield f"details.{key}: expected {expected}"
    for key in details:
        if key not in rules:
            yield f"details: unknown key {key[:40]!r}"


def _fault(rule: DetailRule, value: object) -> str | None:
    """What was expected instead, or None."""
    if rule.type == "boolean":
        return None if isinstance(value, bool) else "true or false"
    if rule.type == "integer":
        right = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INTEGER
        return None if right else "a whole number"
    if rule.type == "strings":
        if not isinstance(value, list | tuple) or len(value) > MOST_STRINGS:
            return f"at most {MOST_STRINGS} strings"
        right = all(isinstance(one, str) and len(one) <= rule.max_length for one in value)
        return None if right else f"strings of at most {rule.max_length} characters"
    if not isinstance(value, str) or not value or len(value) > rule.max_length:
        return f"a string of 1 to {rule.max_length} characters"
    if rule.type in _FORMS:
        form, words = _FORMS[rule.type]
        return None if form.fullmatch(value) else words
    return None if not rule.values or value in rule.values else "one of the values that the policy names"
