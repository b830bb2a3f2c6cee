"""Whole answers as the OpenAPI document shows them, made of the types themselves: they cannot say what there is not."""

from server.api.bodies import (
    MediaCounters,
    MediaLayer,
    MediaNetwork,
    MediaParticipant,
    MediaSlot,
    MediaSource,
)
from server.domain.ids import ParticipantId
from server.domain.model import Source

_CUSTOMER = ParticipantId("PA_7K2QV4N6W3J5MZTBRLUE5XHOAA")
_AGENT = ParticipantId("PA_C4XH2RT6YD7LQS3WPNGF5KVUJE")

_LOW = MediaLayer(
    rid="q", packets=1840, bytes=1_390_000, lost=2, late=5, recovered=4, nacked=6, key_frames=3, loss_permille=4, bitrate_kbps=148,
    temporal_kbps=[92, 148], height=180, jitter_ms=3,
)  # fmt: skip
_HIGH = MediaLayer(
    rid="f", packets=9120, bytes=9_870_000, lost=11, late=20, recovered=17, nacked=31, key_frames=4, loss_permille=8,
    bitrate_kbps=1190, temporal_kbps=[700, 1190], height=720, jitter_ms=4,
)  # fmt: skip

MEDIA = MediaCounters(
    participants=[
        MediaParticipant(
            participant=_CUSTOMER,
            state="connected",
            sources=[MediaSource(source=Source.CAMERA, open=True, flowing=True, forwarded=9100, plis=7, layers=[_LOW, _HIGH])],
            slots=[],
            network=None,
            steps_ms={"checked": 40, "dtls": 95, "connected": 96},
        ),
        MediaParticipant(
            participant=_AGENT,
            state="connected",
            sources=[],
            slots=[
                MediaSlot(
                    mid="4", participant=_CUSTOMER, source=Source.CAMERA, packets=9100, bytes=9_800_000, resent=12, nacked=15,
                    left_out=640, loss_permille=12, rtt_ms=48, jitter_ms=6, rid="f", height=720, temporal=0, held=False,
                )
            ],
            steps_ms={"checked": 52, "dtls": 118, "connected": 119, "slot": 120, "key_asked": 1, "key": 96, "picture": 120},
            network=MediaNetwork(
                estimate_kbps=900, sent_kbps=760, wanted_kbps=1190, rtt_ms=48, loss_permille=12, limit="bandwidth",
                probe_bytes=51_000, held=0, key_requests=2,
            ),
        ),
    ]
)  # fmt: skip
