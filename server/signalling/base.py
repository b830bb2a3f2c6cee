"""What every message of the signalling WebSocket is built of: the struct, and the bounds of its texts."""

from typing import Annotated

import msgspec

ShortText = Annotated[str, msgspec.Meta(max_length=200)]
AnyId = Annotated[str, msgspec.Meta(max_length=40)]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """Base of what a ``msg`` frame carries."""
