"""Signatures of webhooks, as the Standard Webhooks specification (1.0) has them, asymmetric (``v1a``: Ed25519). Sans-I/O.

    webhook-id: WD_…                        the same for every try of a delivery: take each once
    webhook-timestamp: 1773000000           seconds since 1970, of this try
    webhook-signature: v1a,<base64>         of  id "." timestamp "." body ; a reader takes several, separated by spaces

There is no secret to be shared, kept or stolen: whoever has the public keys (``GET /api/v1/webhooks/keys``) can check.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from server.errors import Invalid

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
SCHEME = "v1a"
TOLERANCE_S = 300
MOST_SIGNATURES = 8
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TIME = re.compile(r"[0-9]{1,12}")


def sign(key: Ed25519PrivateKey, id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers. Raises ValueError for an ``id`` that cannot be in them."""
    if not _ID.fullmatch(id):
        raise ValueError("an id is letters, digits, _ and -")
    timestamp = str(int(at.timestamp()))
    signature = key.sign(_signed(id, timestamp, body))
    return {ID: id, TIMESTAMP: timestamp, SIGNATURE: f"{SCHEME},{base64.b64encode(signature).decode()}"}


def verify(
    headers: Mapping[str, str],
    body: bytes,
    keys: Iterable[Ed25519PublicKey],
    now: datetime,
    *,
    tolerance_s: float = TOLERANCE_S,
) -> str:
    """The id of a webhook that one of ``keys`` signed not longer than ``tolerance_s`` ago. Raises Invalid for any other. For receivers."""
    given = {name.lower(): value for name, value in headers.items()}
    id, timestamp = given.get(ID, ""), given.get(TIMESTAMP, "")
    if not _ID.fullmatch(id) or not _TIME.fullmatch(timestamp):
        raise Invalid("not a signed webhook")
    if abs(now.timestamp() - int(timestamp)) > tolerance_s:
        raise Invalid("a webhook of another time")
    known = list(keys)
    for one in given.get(SIGNATURE, "").split(" ")[:MOST_SIGNATURES]:
        scheme, _, text = one.partition(",")
        if scheme != SCHEME:
            continue
        try:
            signature = base64.b64decode(text, validate=True)
        except ValueError:
            continue
        for key in known:
            try:
                key.verify(signature, _signed(id, timestamp, body))
            except InvalidSignature:
                continue
            return id
    raise Invalid("a webhook whose signature is wrong")


def _signed(id: str, timestamp: str, body: bytes) -> bytes:
    return f"{id}.{timestamp}.".encode() + body
