"""Credentials of the TURN relay, made for one participant and a while. S.

"A REST API for Access to TURN Services" (draft-uberti-behave-turn-rest-00, section 2.2), as coturn's ``use-auth-secret`` reads it: the
username says until when and for whom, the password is its HMAC under the secret that server and relay share.
"""

import base64
import hashlib
import hmac
from datetime import datetime
from typing import NamedTuple


class TurnCredential(NamedTuple):
    username: str
    password: str
    expires_at: datetime


def turn_credential(secret: str, participant: str, expires_at: datetime) -> TurnCredential:
    """``expires_at``: aware; whole seconds count."""
    username = f"{int(expires_at.timestamp())}:{participant}"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()  # the relay knows no other
    return TurnCredential(username, base64.b64encode(digest).decode(), expires_at)


def derived_secret(key: bytes) -> str:
    """The shared secret where none was chosen: from a key of the server's own, so that both sides find the same."""
    return hmac.new(key, b"tongping turn shared secret", hashlib.sha256).hexdigest()
