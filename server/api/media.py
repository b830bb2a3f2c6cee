"""What the relay counted of a session: for support, and for proof that nothing passed without consent."""

from typing import Any

import msgspec

from server.api.bodies import MediaCounters, MediaLayer, MediaParticipant, MediaSlot, MediaSource
from server.api.call import Call, Handler, Reply
from server.domain.ids import ParticipantId
from server.domain.model import Source


class _Layer(msgspec.Struct, frozen=True):
    """A layer as a worker tells it; what is said of its whole source stands in each."""

    rid: str
    packets: int
    octets: int
    late: int
    recovered: int
    nacked: int
    keys: int
    plis: int
    flowing: bool
    open: bool
    forwarded: int


class _Slot(msgspec.Struct, frozen=True):
    packets: int
    octets: int
    resent: int
    nacked: int
    loss: float
    rtt_s: float | None


class _Peer(msgspec.Struct, frozen=True):
    state: str = "connecting"
    published: dict[str, list[_Layer]] = {}
    slots: dict[str, _Slot] = {}


class _Room(msgspec.Struct, frozen=True):
    participants: dict[str, _Peer] = {}


async def get_media(call: Call) -> Reply:
    return Reply(counters(await call.context.live.media(call.where.id)))


def counters(told: Any) -> MediaCounters:
    """What a worker told, in the words of the interface. Raises msgspec.ValidationError: the worker is of another version."""
    room = msgspec.convert(told, _Room)
    return MediaCounters(
        participants=[
            MediaParticipant(
                participant=ParticipantId(id),
                state=peer.state,
                sources=[_source(Source(name), layers) for name, layers in peer.published.items() if layers],
                slots=[_slot(mid, slot) for mid, slot in peer.slots.items()],
            )
            for id, peer in room.participants.items()
        ]
    )


def _source(source: Source, layers: list[_Layer]) -> MediaSource:
    first = layers[0]
    return MediaSource(
        source=source,
        open=first.open,
        flowing=first.flowing,
        forwarded=first.forwarded,
        plis=first.plis,
        layers=[
            MediaLayer(
                rid=layer.rid,
                packets=layer.packets,
                bytes=layer.octets,
                late=layer.late,
                recovered=layer.recovered,
                nacked=layer.nacked,
                key_frames=layer.keys,
            )
            for layer in layers
        ],
    )


def _slot(mid: str, slot: _Slot) -> MediaSlot:
    return MediaSlot(
        mid=mid,
        packets=slot.packets,
        bytes=slot.octets,
        resent=slot.resent,
        nacked=slot.nacked,
        loss_permille=round(slot.loss * 1000),
        rtt_ms=None if slot.rtt_s is None else round(slot.rtt_s * 1000),
    )


HANDLERS: dict[str, Handler] = {"get_media": get_media}
