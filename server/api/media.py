"""What the relay counted of a session: for support, and for proof that nothing passed without consent."""

from collections.abc import Container
from typing import Any

import msgspec

from server.api.bodies import MediaCounters, MediaLayer, MediaNetwork, MediaParticipant, MediaSlot, MediaSource
from server.api.call import Call, Handler, Reply
from server.domain.ids import ParticipantId
from server.domain.model import Role, Source
from server.services.principal import PrincipalKind

_KNOWS_OF_WHISPERS = frozenset({Role.AGENT, Role.SUPERVISOR})
ALL_TEMPORAL = 3
"""What a worker says where no temporal layer is left out."""


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
    bitrate_bps: int = 0
    height: int = 0
    jitter_s: float = 0.0
    lost: int = 0
    loss: float = 0.0
    temporal_bps: list[int] = []


class _Slot(msgspec.Struct, frozen=True):
    packets: int
    octets: int
    resent: int
    nacked: int
    loss: float
    rtt_s: float | None
    jitter_s: float = 0.0
    rid: str | None = None
    temporal: int = ALL_TEMPORAL
    held: bool = False
    left_out: int = 0
    height: int = 0
    participant: str | None = None
    source: str | None = None


class _Network(msgspec.Struct, frozen=True):
    estimate_bps: int
    sent_bps: int
    rtt_s: float | None
    loss: float
    limit: str
    probe_bytes: int
    held: int
    demand_bps: float = 0


class _Peer(msgspec.Struct, frozen=True):
    state: str = "connecting"
    quality: _Network | None = None
    published: dict[str, list[_Layer]] = {}
    slots: dict[str, _Slot] = {}
    key_requests: int = 0
    steps: dict[str, float] = {}


class _Room(msgspec.Struct, frozen=True):
    participants: dict[str, _Peer] = {}


async def get_media(call: Call) -> Reply:
    live, who, session = call.context.live, call.who, call.where.id
    listening = live.listening(session)
    told = await live.media(session)
    knows = who.kind is not PrincipalKind.PARTICIPANT or who.role in _KNOWS_OF_WHISPERS
    listening |= live.listening(session)
    hides = live.hides(who.role)
    hidden = listening if hides else frozenset()
    if not call.knows_who_waits:
        people = await call.context.history.participants(session, {})
        hidden |= {person.id for person in people if person.waits}
    answer = counters(told, listening if hides or not knows else frozenset(), hidden)
    return Reply(_without_sums(answer) if hides else answer)


def _without_sums(answer: MediaCounters) -> MediaCounters:
    """What counts every subscriber together would count one who is hidden: always left out where somebody may be."""
    replace = msgspec.structs.replace
    return replace(
        answer,
        participants=[
            replace(one, sources=[replace(source, forwarded=0, plis=0) for source in one.sources])
            for one in answer.participants
        ],
    )


def counters(told: Any, unseen: Container[str] = frozenset(), hidden: Container[str] = frozenset()) -> MediaCounters:
    """What a worker told, in the words of the interface. ``unseen``: participants of whose media nothing is shown.

    ``hidden``: participants who are not shown at all.
    Raises msgspec.ValidationError: the worker is of another version.
    """
    room = msgspec.convert(told, _Room)
    return MediaCounters(
        participants=[
            MediaParticipant(
                participant=ParticipantId(id),
                state=peer.state,
                sources=[
                    _source(Source(name), layers) for name, layers in peer.published.items() if layers and id not in unseen
                ],
                slots=[_slot(mid, slot) for mid, slot in peer.slots.items() if slot.participant not in unseen],
                network=None if peer.quality is None else _network(peer.quality, peer.key_requests),
                steps_ms={step: round(1000 * at) for step, at in peer.steps.items()},
            )
            for id, peer in room.participants.items()
            if id not in hidden
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
                lost=layer.lost,
                late=layer.late,
                recovered=layer.recovered,
                nacked=layer.nacked,
                key_frames=layer.keys,
                loss_permille=round(layer.loss * 1000),
                bitrate_kbps=layer.bitrate_bps // 1000,
                temporal_kbps=[bps // 1000 for bps in layer.temporal_bps],
                height=layer.height,
                jitter_ms=round(layer.jitter_s * 1000),
            )
            for layer in layers
        ],
    )


def _slot(mid: str, slot: _Slot) -> MediaSlot:
    return MediaSlot(
        mid=mid,
        participant=None if slot.participant is None else ParticipantId(slot.participant),
        source=None if slot.source is None else Source(slot.source),
        packets=slot.packets,
        bytes=slot.octets,
        resent=slot.resent,
        nacked=slot.nacked,
        left_out=slot.left_out,
        loss_permille=round(slot.loss * 1000),
        rtt_ms=_ms(slot.rtt_s),
        jitter_ms=round(slot.jitter_s * 1000),
        rid=slot.rid,
        height=slot.height,
        temporal=None if slot.temporal == ALL_TEMPORAL else slot.temporal,
        held=slot.held,
    )


def _network(told: _Network, key_requests: int) -> MediaNetwork:
    return MediaNetwork(
        estimate_kbps=told.estimate_bps // 1000,
        sent_kbps=told.sent_bps // 1000,
        wanted_kbps=int(told.demand_bps) // 1000,
        rtt_ms=_ms(told.rtt_s),
        loss_permille=round(told.loss * 1000),
        limit=told.limit,
        probe_bytes=told.probe_bytes,
        held=told.held,
        key_requests=key_requests,
    )


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


HANDLERS: dict[str, Handler] = {"get_media": get_media}
