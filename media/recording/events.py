"""What the events track of a recording says, as JSON in ``Kind.EVENT`` records. S.

``participant`` is an id. Chat text and names of files are personal data: they are in the encrypted file and nowhere else.
An event type that a reader does not know, and fields added later, are skipped.
"""

import msgspec

from media.recording.errors import RecordingFormatError
from media.recording.records import MAX_PAYLOAD_BYTES


class _Event(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower, kw_only=True, omit_defaults=True):
    pass


class Joined(_Event, frozen=True, kw_only=True):
    """``name``: as the others saw it."""

    participant: str
    role: str
    name: str = ""


class Left(_Event, frozen=True, kw_only=True):
    participant: str
    reason: str = ""


class Speaking(_Event, frozen=True, kw_only=True):
    """Who is heard from here on; nobody when empty."""

    participants: tuple[str, ...]


class Chat(_Event, frozen=True, kw_only=True):
    participant: str
    text: str


class File(_Event, frozen=True, kw_only=True):
    """A file shared in the chat; ``sha256`` of its content in hex."""

    participant: str
    name: str
    size: int
    sha256: str = ""


class Checkpoint(_Event, frozen=True, kw_only=True):
    """``key`` names the item of the checklist; ``label``: its words in the session's language. ``zh``, ``en``: its words in each, for whoever
    reads it later; "" in older recordings. ``done`` false: it is not after all.
    """

    participant: str
    key: str
    label: str = ""
    zh: str = ""
    en: str = ""
    done: bool = True
    note: str = ""


class Screen(_Event, frozen=True, kw_only=True):
    """They show their screen from here on, or no longer."""

    participant: str
    on: bool


class Paused(_Event, frozen=True, kw_only=True):
    """``by``: who paused it, "" where a consent was taken back."""

    by: str = ""


class Resumed(_Event, frozen=True, kw_only=True):
    by: str = ""


class Consent(_Event, frozen=True, kw_only=True):
    participant: str
    scope: str
    given: bool


class Layout(_Event, frozen=True, kw_only=True):
    """``stage``: participant and source shown large, "" when there is none; ``mode`` as the pages call it."""

    mode: str
    stage: tuple[str, str] = ("", "")


Event = Joined | Left | Speaking | Chat | File | Checkpoint | Screen | Paused | Resumed | Consent | Layout
_TYPES = frozenset(
    kind.__name__.lower() for kind in (Joined, Left, Speaking, Chat, File, Checkpoint, Screen, Paused, Resumed, Consent, Layout)
)


class _Type(msgspec.Struct, frozen=True):
    type: str


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_type_decoder = msgspec.json.Decoder(_Type)


def encode(event: Event) -> bytes:
    """Raises RecordingFormatError when it is too long for a record."""
    payload = _encoder.encode(event)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise RecordingFormatError("event_too_large", f"{len(payload)} bytes")
    return payload


def decode(payload: bytes) -> Event | None:
    """None for a type that this version does not know. Raises RecordingFormatError(``bad_event``)."""
    try:
        if _type_decoder.decode(payload).type not in _TYPES:
            return None
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordingFormatError("bad_event", str(error)) from None
