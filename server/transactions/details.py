"""The details of a transaction, and the one form of them that is hashed and signed. Sans-I/O.

The canonical form is that of RFC 8785 (JCS) for the JSON that is allowed here: objects with their keys sorted by UTF-16 code units, arrays, strings,
``true``, ``false``, ``null`` and whole numbers between -2^53+1 and 2^53-1; no white space; only the escapes that JSON needs. Numbers with a
fraction or an exponent are refused: write an amount as a string, ``"1250.00"``.

Strings are kept as they were sent. Nothing is normalised: ``é`` as one character and as two are different details, and so are ``1250`` and ``1250.00``.
Who asks and who checks must take them from one place.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any, NoReturn, TypeAlias

from server.errors import Invalid

MAX_BYTES = 8 * 1024
"""Of the canonical form, and of the text that it is read from."""
MAX_DEPTH = 6
"""Objects and arrays inside one another, the outermost included."""
MAX_KEYS = 64
"""Of all objects together."""
MAX_ITEMS = 256
"""Of all arrays together."""
MAX_INTEGER = 2**53 - 1

Details: TypeAlias = dict[str, Any]
"""What ``read_details`` gives: strings, integers, booleans, None, lists and dicts."""

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"} | {
    chr(code): f"\\u{code:04x}" for code in range(0x20) if chr(code) not in "\b\t\n\f\r"
}
_TABLE = str.maketrans(_ESCAPES)


class DetailsInvalid(Invalid):
    """Details that have no canonical form. ``detail`` says what is wrong, and where; never a value."""

    code = "details_invalid"


def read_details(text: bytes) -> Details:
    """The details of a JSON text. Raises DetailsInvalid for what ``canonical`` refuses, and for a key that stands twice in one object."""
    if len(text) > MAX_BYTES:
        raise DetailsInvalid(f"details: at most {MAX_BYTES} bytes")
    try:
        found = json.loads(
            text.decode(), object_pairs_hook=_object, parse_float=_fraction, parse_constant=_fraction, parse_int=_integer
        )
    except RecursionError:
        raise DetailsInvalid(f"details: nested deeper than {MAX_DEPTH}") from None
    except UnicodeDecodeError:
        raise DetailsInvalid("details: not UTF-8") from None
    except json.JSONDecodeError as error:
        raise DetailsInvalid(f"details: not JSON, at character {error.pos}") from None
    canonical(found)
    return found  # type: ignore[no-any-return]  # canonical() refuses what is no object


def canonical(details: Mapping[str, object]) -> bytes:
    """The canonical form, in UTF-8. Raises DetailsInvalid."""
    if not isinstance(details, Mapping):
        raise DetailsInvalid("details: an object")
    counts = _Counts()
    try:
        form = counts.value(details, "details", 1).encode()
    except UnicodeEncodeError:
        raise DetailsInvalid("details: a string with half a character (a lone surrogate)") from None
    if len(form) > MAX_BYTES:
        raise DetailsInvalid(f"details: at most {MAX_BYTES} bytes")
    return form


def details_hash(details: Mapping[str, object]) -> str:
    """SHA-256 of the canonical form, in base64url without padding: 43 characters. Raises DetailsInvalid."""
    return form_hash(canonical(details))


def form_hash(form: bytes) -> str:
    """The same of a canonical form that is there already."""
    return base64.urlsafe_b64encode(hashlib.sha256(form).digest()).rstrip(b"=").decode()


class _Counts:
    """Writes values, and counts what it has written."""

    def __init__(self) -> None:
        self.keys = 0
        self.items = 0

    def value(self, value: object, where: str, depth: int) -> str:
        if value is None:
            return "null"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            if abs(value) > MAX_INTEGER:
                raise DetailsInvalid(f"{where}: a whole number beyond 2^53; send it as a string")
            return str(int(value))
        if isinstance(value, str):
            return _string(value)
        if isinstance(value, float):
            _fraction(where)
        if depth > MAX_DEPTH:
            raise DetailsInvalid(f"details: nested deeper than {MAX_DEPTH}")
        if isinstance(value, Mapping):
            return self._mapping(value, where, depth)
        if isinstance(value, list | tuple):
            self.items += len(value)
            if self.items > MAX_ITEMS:
                raise DetailsInvalid(f"details: more than {MAX_ITEMS} items")
            return f"[{','.join(self.value(one, f'{where}[{at}]', depth + 1) for at, one in enumerate(value))}]"
        raise DetailsInvalid(f"{where}: not JSON")

    def _mapping(self, value: Mapping[Any, object], where: str, depth: int) -> str:
        self.keys += len(value)
        if self.keys > MAX_KEYS:
            raise DetailsInvalid(f"details: more than {MAX_KEYS} keys")
        if not all(isinstance(key, str) for key in value):
            raise DetailsInvalid(f"{where}: a key that is no string")
        members = (
            f"{_string(key)}:{self.value(value[key], f'{where}.{_shown(key)}', depth + 1)}" for key in sorted(value, key=_utf16)
        )
        return f"{{{','.join(members)}}}"


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")


def _string(text: str) -> str:
    return f'"{text.translate(_TABLE)}"'


def _shown(key: str) -> str:
    """Of a key, what may stand in an answer."""
    return key[:40] if key.isascii() and key.isprintable() else "…"


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise DetailsInvalid("details: a key stands twice in one object")
    return made


def _fraction(where: str) -> NoReturn:
    del where  # the parser passes the number itself, which is nobody's business
    raise DetailsInvalid('details: no fractions and no exponents; send an amount as a string, such as "1250.00"')


def _integer(text: str) -> int:
    if len(text) > 17:
        raise DetailsInvalid("details: a whole number beyond 2^53; send it as a string")
    return int(text)
