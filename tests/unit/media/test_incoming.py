"""What an SSRC is: by mid and rid, by the description, by its payload type; replaced ones; and too many."""

from collections import Counter
from dataclasses import replace
from typing import Any

from media.relay.incoming import MAX_SSRCS, MAX_SSRCS_EVER, MAX_STRANGE_SSRCS, Incoming, extension_ids
from media.relay.publication import Publication
from media.wire.rtp import RtpReader
from media.wire.sdp import ExtensionIds
from media.wire.sdp_answer import NegotiatedCodec, NegotiatedSection
from tests.support.room_parts import slot

CODEC = NegotiatedCodec("VP8", "VP8", 96, 90000, 97, True)
CAMERA = NegotiatedSection(
    1, "1", "video", "publish", "camera", (CODEC,), ExtensionIds(mid=4, rid=5, rrid=6, twcc=3), rids=("q", "f")
)
SCREEN = NegotiatedSection(
    2, "2", "video", "publish", "screen", (replace(CODEC, payload_type=98, rtx_payload_type=99),), ExtensionIds(mid=4, audio_level=9),
    ssrcs=(50,), fid={50: 51},
)  # fmt: skip


def incoming(*sections: NegotiatedSection) -> Incoming:
    found = Incoming(Counter())
    for section in sections:
        assert section.source is not None
        found.add(section, Publication("p", section.source, section.kind, section.mid, "VP8", 1))
    return found


def came(ssrc: int, pt: int = 96, **names: str) -> RtpReader:
    reader = RtpReader(ExtensionIds())
    reader.ssrc, reader.pt = ssrc, pt
    for name, value in names.items():
        setattr(reader, name, value.encode())
    return reader


def test_layers_by_rid_and_their_retransmissions() -> None:
    peer = incoming(CAMERA, SCREEN)
    low = peer.learn(came(10, mid="1", rid="q"), 1.0)
    high = peer.learn(came(11, mid="1", rid="f"), 1.0)
    assert low is not None
    assert high is not None
    assert set(peer.publications["1"].layers) == {"q", "f"}
    again = peer.learn(came(12, 97, mid="1", rrid="f"), 1.0)
    assert again is not None
    assert again.rtx
    assert again.uplink is high.uplink
    assert peer.learn(came(13, mid="1", rid="z"), 1.0) is None
    assert peer.learn(came(14, 97, mid="1", rrid="z"), 1.0) is None
    assert peer.learn(came(15, 97, mid="7", rrid="q"), 1.0) is None


def test_by_the_description_and_by_the_only_section_with_the_payload_type() -> None:
    peer = incoming(CAMERA, SCREEN)
    screen = peer.learn(came(50, 98), 1.0)
    assert screen is not None
    rtx = peer.learn(came(51, 99), 1.0)
    assert rtx is not None
    assert rtx.uplink is screen.uplink
    other = peer.learn(came(60, 98), 1.0)
    assert other is not None
    assert other.publication is screen.publication
    assert peer.routes.get(50) is None  # the sender took another SSRC
    peer.renegotiated((replace(SCREEN, ssrcs=(70,), fid={70: 71}),))
    assert peer.learn(came(70, 98), 1.0) is not None
    assert peer.learn(came(1, 33), 1.0) is None


def test_whoever_waited_for_a_layer_or_showed_it_gets_the_new_one() -> None:
    peer = incoming(SCREEN)
    source = peer.publications["2"]
    source.gate.release("consent")
    viewer = slot()
    source.subscribe("v", viewer, 1.0)
    assert viewer.pending is None
    first = peer.learn(came(50, 98), 1.0)
    assert first is not None
    assert viewer.pending is first.uplink
    second = peer.learn(came(60, 98), 1.0)
    assert second is not None
    assert viewer.pending is second.uplink


def test_too_many_ssrcs_flood() -> None:
    peer = incoming(SCREEN)
    for ssrc in range(MAX_STRANGE_SSRCS + 1):
        assert not peer.flooded
        assert peer.learn(came(1000 + ssrc, 33), 1.0) is None
    assert peer.flooded
    peer = incoming(SCREEN)
    results: list[Any] = [peer.learn(came(1000 + ssrc, 98), 1.0) for ssrc in range(MAX_SSRCS_EVER + 1)]
    assert results[0] is not None
    assert results[-1] is None
    assert peer.flooded
    peer = incoming(CAMERA)
    for ssrc in range(MAX_SSRCS):
        peer.routes[ssrc] = results[0]
    assert peer.learn(came(999, mid="1", rid="q"), 1.0) is None


def test_extension_ids_are_one_space() -> None:
    assert ExtensionIds(**extension_ids((CAMERA, SCREEN))) == ExtensionIds(mid=4, rid=5, rrid=6, twcc=3, audio_level=9)


def test_a_voice_may_begin_with_redundancy() -> None:
    voice = NegotiatedSection(
        0, "0", "audio", "publish", "microphone", (NegotiatedCodec("opus", "opus", 111, 48000, red_payload_type=63),)
    )
    peer = incoming(voice)
    assert peer.red_types == {"0": 63}
    assert peer.learn(came(20, 63), 1.0) is not None
    assert peer.learn(came(21, 63, mid="0"), 1.0) is not None
    assert peer.learn(came(22, 64, mid="0"), 1.0) is None
