"""Offers and answers: what real browsers write is read and answered, what is wrong is refused by a stable code."""

from pathlib import Path

import pytest

from media.errors import SdpError
from media.wire.sdp import ExtensionIds, Fingerprint, MediaSection, Offer, parse_offer
from media.wire.sdp_answer import Answer, Candidate, LocalTransport, SlotSsrcs, make_answer
from tests.support.fake_media import OFFER

DATA = Path(__file__).resolve().parents[2] / "data" / "sdp"
OFFERS = {path.stem: path.read_bytes().decode() for path in sorted(DATA.glob("*.sdp"))}
LOCAL = LocalTransport(
    ufrag="abcd",
    pwd="p" * 24,
    fingerprints=(Fingerprint("sha-256", ":".join(["AA"] * 32)),),
    candidates=(Candidate("203.0.113.5", 5000), Candidate("2001:db8::5", 5001)),
    session_id=77,
    session_version=2,
)


def answer(offer: Offer, *video_codecs: str) -> Answer:
    ssrcs = {slot.mid: SlotSsrcs(1000 + 2 * n, 1001 + 2 * n) for n, slot in enumerate(offer.slots)}
    return make_answer(offer, LOCAL, ssrcs, video_codecs) if video_codecs else make_answer(offer, LOCAL, ssrcs)


def section_text(sdp: str, mid: str) -> list[str]:
    (text,) = (part for part in sdp.split("\r\nm=")[1:] if f"a=mid:{mid}\r\n" in part + "\r\n")
    return ["m=" + text.splitlines()[0], *text.splitlines()[1:]]


def roles(offer: Offer) -> list[tuple[str, str, str | None]]:
    return [(section.mid, section.role, section.source) for section in offer.sections]


def by_mid(offer: Offer, mid: str) -> MediaSection:
    return next(section for section in offer.sections if section.mid == mid)


# ---- reading


def test_chromium_with_simulcast() -> None:
    offer = parse_offer(OFFERS["chromium_simulcast"])
    assert roles(offer) == [
        ("0", "publish", "microphone"),
        ("1", "publish", "camera"),
        ("2", "publish", "screen"),
        ("3", "slot", None),
        ("4", "slot", None),
        ("5", "slot", None),
        ("6", "slot", None),
        ("7", "slot", None),
        ("8", "data", None),
    ]
    assert [slot.mid for slot in offer.slots] == ["3", "4", "5", "6", "7"]
    camera, screen = by_mid(offer, "1"), by_mid(offer, "2")
    assert camera.rids == ("q", "h", "f")
    assert camera.ssrcs == ()
    assert camera.extensions == ExtensionIds(mid=4, rid=10, rrid=11, twcc=3)
    assert screen.rids == ()
    assert dict(screen.fid) == {screen.ssrcs[0]: screen.fid[screen.ssrcs[0]]}
    assert len(screen.ssrcs) == 1
    assert {codec.key for codec in camera.codecs if codec.key} == {"VP8", "VP9", "AV1", "H264/42e0", "H264/4200"}
    vp8 = camera.codecs[0]
    assert (vp8.name, vp8.payload_type, vp8.rtx_payload_type) == ("VP8", 96, 97)
    assert {"nack", "nack pli", "ccm fir", "transport-cc", "goog-remb"} <= vp8.feedback
    data = by_mid(offer, "8")
    assert (data.sctp_port, data.max_message_bytes) == (5000, 262144)
    assert len(offer.fingerprints) == 1
    assert len(offer.ufrag) == 4


def test_chromium_plain_sendrecv_publishes() -> None:
    offer = parse_offer(OFFERS["chromium_plain"])
    assert roles(offer)[:2] == [("0", "publish", "microphone"), ("1", "publish", "camera")]
    assert section_text(answer(offer).sdp, "0").count("a=recvonly") == 1


def test_firefox() -> None:
    """Its fingerprint stands before the sections, extensions have directions, and simulcast announces SSRCs as well as rids."""
    offer = parse_offer(OFFERS["firefox"])
    assert [role for _, role, _ in roles(offer)] == ["publish", "publish", "publish", "slot", "slot", "data"]
    (fingerprint,) = offer.fingerprints
    assert (fingerprint.algorithm, fingerprint.value[:5]) == ("sha-256", "D0:02")
    camera, screen = by_mid(offer, "1"), by_mid(offer, "2")
    assert camera.rids == ("q", "h", "f")
    assert camera.extensions == ExtensionIds(mid=3, rid=9, rrid=10, twcc=7)
    assert len(camera.ssrcs) == len(camera.fid) == 3
    assert (screen.rids, len(screen.ssrcs)) == ((), 1)
    assert by_mid(offer, "4").ssrcs == ()  # announced only to report with
    assert {codec.key for codec in camera.codecs if codec.key} == {"VP8", "VP9", "AV1"}  # its H.264 is downloaded later
    assert (camera.codecs[0].payload_type, camera.codecs[0].rtx_payload_type) == (120, 124)
    assert answer(offer).sections[1].rids == ("q", "h", "f")


def test_gstreamer() -> None:
    offer = parse_offer(OFFERS["gstreamer"])
    assert roles(offer) == [
        ("audio0", "publish", "microphone"),
        ("video1", "publish", "camera"),
        ("audio2", "slot", None),
        ("video3", "slot", None),
    ]
    assert by_mid(offer, "audio0").codecs[0].key == "opus"  # written OPUS
    agreed = answer(offer).sections
    assert agreed[1].extensions == ExtensionIds(mid=1, twcc=3)
    assert agreed[1].ssrcs == by_mid(offer, "video1").ssrcs
    assert (len(agreed[1].ssrcs), len(agreed[1].fid or {})) == (1, 1)
    assert agreed[3].ssrc


def test_aiortc() -> None:
    offer = parse_offer(OFFERS["aiortc"])
    assert [role for _, role, _ in roles(offer)] == ["publish", "publish", "slot", "slot", "data"]
    assert [fingerprint.algorithm for fingerprint in offer.fingerprints] == ["sha-256", "sha-384", "sha-512"]
    slot = answer(offer).sections[3]
    assert slot.extensions == ExtensionIds(mid=1)
    assert [(codec.remb, codec.transport_cc) for codec in slot.codecs] == [(True, False)] * 3
    camera = answer(offer).sections[1]
    assert (camera.kind, camera.role) == ("video", "publish")
    assert not any(codec.remb for codec in camera.codecs)  # no estimate is sent, so none is promised


# ---- answering


@pytest.mark.parametrize("name", OFFERS)
def test_every_answer_is_lite_passive_and_bundled(name: str) -> None:
    offer = parse_offer(OFFERS[name])
    made = answer(offer)
    lines = made.sdp.split("\r\n")
    assert lines[:2] == ["v=0", "o=- 77 2 IN IP4 127.0.0.1"]
    assert "a=ice-lite" in lines
    assert "a=group:BUNDLE " + " ".join(section.mid for section in offer.sections) in lines
    assert lines.count("a=end-of-candidates") == 1
    assert lines.count("a=setup:passive") == len(offer.sections)
    assert [section.mid for section in made.sections] == [section.mid for section in offer.sections]
    assert all(len(line) < 256 and line.isascii() for line in lines)
    for section in made.sections:
        if section.role in ("publish", "slot"):
            text = section_text(made.sdp, section.mid)
            assert {"a=rtcp-mux", "a=rtcp-rsize"} <= set(text)
            offered = {codec.payload_type for codec in by_mid(offer, section.mid).codecs}
            assert {codec.payload_type for codec in section.codecs} <= offered


def test_candidates_prefer_the_first_and_stand_once() -> None:
    made = answer(parse_offer(OFFER))
    candidates = [line for line in made.sdp.splitlines() if line.startswith("a=candidate")]
    assert candidates == [
        "a=candidate:1 1 udp 2130706175 203.0.113.5 5000 typ host",
        "a=candidate:2 1 udp 2130705919 2001:db8::5 5001 typ host",
    ]


def test_a_publisher_gets_one_codec_by_preference() -> None:
    offer = parse_offer(OFFERS["chromium_simulcast"])
    for codecs, key in ((("VP8", "H264"), "VP8"), (("H264", "VP8"), "H264/42e0"), (("VP9",), "VP9"), (("AV1", "VP8"), "AV1")):
        camera = answer(offer, *codecs).sections[1]
        assert [codec.key for codec in camera.codecs] == [key]
        assert camera.codecs[0].rtx_payload_type is not None
        assert camera.rids == ("q", "h", "f")
    h264 = section_text(answer(offer, "H264").sdp, "1")
    (fmtp,) = (line for line in h264 if line.startswith("a=fmtp") and "profile" in line)
    assert fmtp.endswith("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f")
    assert fmtp.endswith(" " + answer(offer, "H264").sections[1].codecs[0].fmtp)


def test_a_slot_takes_every_codec_that_may_be_forwarded() -> None:
    offer = parse_offer(OFFERS["chromium_simulcast"])
    made = answer(offer)
    slot = made.sections[5]
    assert [codec.key for codec in slot.codecs] == ["VP8", "H264/42e0", "H264/4200", "VP9", "AV1"]
    assert slot.extensions == ExtensionIds(mid=4, twcc=3)
    text = section_text(made.sdp, "5")
    assert "a=sendonly" in text
    assert f"a=ssrc-group:FID {slot.ssrc} {slot.rtx_ssrc}" in text
    assert f"a=ssrc:{slot.ssrc} cname:tongping" in text
    assert f"a=msid:{slot.stream} track-5" in text
    assert not any("goog-remb" in line for line in text)
    assert sum("transport-cc" in line for line in text) == 5


def test_the_first_voice_and_the_first_picture_are_one_stream_and_so_on() -> None:
    """Browsers play a stream in step: its name is the same in both sections, and in no third one."""
    made = answer(parse_offer(OFFERS["chromium_simulcast"]))
    slots = [section for section in made.sections if section.role == "slot"]
    voices = [section.stream for section in slots if section.kind == "audio"]
    pictures = [section.stream for section in slots if section.kind == "video"]
    assert len(voices) == 2
    assert voices == pictures[:2]
    assert len(set(pictures)) == len(pictures) == 3
    for slot in slots:
        text = section_text(made.sdp, slot.mid)
        assert f"a=msid:{slot.stream} track-{slot.mid}" in text
        assert f"a=ssrc:{slot.ssrc} cname:tongping" in text
    assert all(section.stream == "" for section in made.sections if section.role != "slot")


def test_an_audio_slot_has_no_rtx() -> None:
    made = answer(parse_offer(OFFERS["chromium_simulcast"]))
    slot = made.sections[3]
    assert slot.ssrc
    assert slot.rtx_ssrc == 0
    text = section_text(made.sdp, "3")
    assert not any("FID" in line for line in text)
    assert slot.extensions.audio_level == 1


def test_lost_voices_are_sent_again_where_that_was_asked_for() -> None:
    """A publisher then puts no transport-wide number into its voice: the packet that is sent again must be the same one."""
    text = OFFERS["chromium_simulcast"]
    plain = answer(parse_offer(text))
    assert "a=rtcp-fb:111 transport-cc" in section_text(plain.sdp, "0")
    assert not any("nack" in line for line in section_text(plain.sdp, "0") + section_text(plain.sdp, "3"))
    offer = parse_offer(
        text.replace("a=rtpmap:111 opus/48000/2", "a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 nack").replace(
            "a=rtpmap:126 telephone-event/8000", "a=rtpmap:126 rtx/48000\r\na=fmtp:126 apt=111"
        )
    )
    asked = answer(offer)
    for mid in ("0", "3"):
        assert "a=rtcp-fb:111 nack" in section_text(asked.sdp, mid)
        codec = next(section for section in asked.sections if section.mid == mid).codecs[0]
        assert codec.nack
        assert codec.rtx_payload_type is None
    assert not any("transport-wide-cc" in line or "transport-cc" in line for line in section_text(asked.sdp, "0"))
    assert any("transport-wide-cc" in line for line in section_text(asked.sdp, "3"))
    assert by_mid(offer, "0").extensions.twcc > 0
    assert asked.sections[0].extensions.twcc == 0
    assert asked.sections[1].extensions.twcc > 0


def test_opus_repeats_itself_and_is_silent_in_silence_and_a_subscriber_hears_their_own_wishes() -> None:
    """Parameters of Opus are of the receiver (RFC 7587 section 7): the relay's to a publisher, the subscriber's in a slot."""
    text = OFFERS["chromium_simulcast"]
    made = answer(parse_offer(text))
    assert "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1" in section_text(made.sdp, "0")
    assert "a=fmtp:111 minptime=10;useinbandfec=1" in section_text(made.sdp, "3")
    other = answer(
        parse_offer(text.replace("minptime=10;useinbandfec=1", "minptime=20;usedtx=1;sprop-stereo=1;useinbandfec=no no"))
    )
    assert "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1" in section_text(other.sdp, "0")
    assert "a=fmtp:111 minptime=20;usedtx=1" in section_text(other.sdp, "3")
    none = answer(parse_offer(text.replace("a=fmtp:111 minptime=10;useinbandfec=1\r\n", "")))
    assert "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1" in section_text(none.sdp, "0")
    assert not any(line.startswith("a=fmtp:111") for line in section_text(none.sdp, "3"))


def test_a_voice_is_opus_with_or_without_redundancy_whatever_else_was_offered() -> None:
    made = answer(parse_offer(OFFERS["chromium_simulcast"]))
    voices = [section for section in made.sections if section.kind == "audio"]
    assert {section.role for section in voices} == {"publish", "slot"}
    for section in voices:
        assert [(codec.name, codec.payload_type, codec.red_payload_type) for codec in section.codecs] == [("opus", 111, 63)]
        text = section_text(made.sdp, section.mid)
        assert text[0] == "m=audio 9 UDP/TLS/RTP/SAVPF 111 63"  # what stands first is sent
        assert "a=rtpmap:63 red/48000/2" in text
        assert "a=fmtp:63 111/111" in text
    for name in ("firefox", "gstreamer", "aiortc"):
        assert "red/" not in answer(parse_offer(OFFERS[name])).sdp


@pytest.mark.parametrize(
    "said",
    [
        "a=fmtp:63 111/112",
        "a=fmtp:63 111",
        "a=fmtp:63 " + "/".join(["111"] * 33),
        "a=fmtp:63 112/112",
        "a=x-none:63",
        "a=fmtp:63 x=1",
    ],
)
def test_redundancy_of_anything_but_that_voice_is_not_agreed_to(said: str) -> None:
    offer = parse_offer(OFFERS["chromium_simulcast"].replace("a=fmtp:63 111/111", said))
    assert "red/48000" not in answer(offer).sdp
    other = parse_offer(OFFERS["chromium_simulcast"].replace("a=rtpmap:63 red/48000/2", "a=rtpmap:63 red/8000"))
    assert "red/" not in answer(other).sdp


def test_redundancy_of_what_is_no_payload_type_is_refused() -> None:
    with pytest.raises(SdpError) as refused:
        parse_offer(OFFERS["chromium_simulcast"].replace("a=fmtp:63 111/111", "a=fmtp:63 1111/1111"))
    assert refused.value.code == "bad_red"


def test_simulcast_is_answered_in_the_order_of_the_offer() -> None:
    text = section_text(answer(parse_offer(OFFERS["chromium_simulcast"])).sdp, "1")
    lines = [line for line in text if line.startswith(("a=rid", "a=simulcast"))]
    assert lines == ["a=rid:q recv", "a=rid:h recv", "a=rid:f recv", "a=simulcast:recv q;h;f"]


def test_the_data_section() -> None:
    made = answer(parse_offer(OFFERS["firefox"]))
    data = made.sections[-1]
    assert (data.role, data.sctp_port, data.max_message_bytes) == ("data", 5000, 1073741823)
    text = section_text(made.sdp, "5")
    assert text[0] == "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"
    assert {"a=sctp-port:5000", "a=max-message-size:262144", "a=setup:passive"} <= set(text)


def test_a_section_without_a_common_codec_is_rejected_and_the_rest_goes_on() -> None:
    offer = parse_offer(OFFER.replace("VP8/90000", "theora/90000"))
    made = answer(offer)
    assert [section.role for section in made.sections] == ["publish", "rejected", "slot", "rejected"]
    assert section_text(made.sdp, "1")[0] == "m=video 0 UDP/TLS/RTP/SAVPF 96"
    assert "a=group:BUNDLE 0 2" in made.sdp.splitlines()


def test_when_the_first_section_is_rejected_the_next_carries_the_candidates() -> None:
    made = answer(parse_offer(OFFER.replace("opus/48000/2", "speex/16000")))
    assert "a=end-of-candidates" in section_text(made.sdp, "1")


def test_stopped_unknown_and_legacy_sections_are_rejected_in_place() -> None:
    text = OFFER + "\r\n".join(
        [
            "m=video 0 UDP/TLS/RTP/SAVPF 96",
            "a=inactive",
            "m=image 9 UDP/TLS/RTP/SAVPF t38",
            "a=mid:5",
            "m=audio 9 RTP/AVP 0",
            "a=mid:6",
            "m=application 9 DTLS/SCTP 5000",
            "a=mid:7",
            "a=sctpmap:5000 webrtc-datachannel 1024",
            "",
        ]
    )
    made = answer(parse_offer(text))
    assert [section.role for section in made.sections[4:]] == ["rejected"] * 4
    heads = [line for line in made.sdp.splitlines() if line.startswith("m=")][4:]
    assert heads == [
        "m=video 0 UDP/TLS/RTP/SAVPF 96",
        "m=image 0 UDP/TLS/RTP/SAVPF t38",
        "m=audio 0 RTP/AVP 0",
        "m=application 0 DTLS/SCTP 5000",
    ]
    assert "a=group:BUNDLE 0 1 2 3" in made.sdp.splitlines()


def test_more_publications_than_sources_stay_idle() -> None:
    extra = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:4\r\na=sendonly\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n"
    text = OFFER.replace("BUNDLE 0 1 2 3", "BUNDLE 0 1 2 3 4") + extra
    made = answer(parse_offer(text))
    assert made.sections[4].role == "idle"
    assert "a=inactive" in section_text(made.sdp, "4")


def test_only_one_data_section() -> None:
    second = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:{}\r\n"
    text = OFFER.replace("BUNDLE 0 1 2 3", "BUNDLE 0 1 2 3 4 5") + second.format(4) + second.format(5)
    assert [section.role for section in answer(parse_offer(text)).sections[4:]] == ["data", "rejected"]
    assert parse_offer(text).sections[4].sctp_port == 5000


def test_nothing_in_common() -> None:
    text = OFFER.replace("opus/48000/2", "speex/16000").replace("VP8/90000", "theora/90000")
    with pytest.raises(SdpError, match="nothing_in_common"):
        answer(parse_offer(text))


def test_a_slot_without_an_ssrc_is_the_callers_mistake() -> None:
    with pytest.raises(SdpError, match="slot_without_ssrc"):
        make_answer(parse_offer(OFFER), LOCAL, {})


def test_offered_values_are_not_echoed_unchecked() -> None:
    text = OFFER.replace("a=rtpmap:96 VP8/90000", "a=rtpmap:96 VP9/90000\r\na=fmtp:96 profile-id=0;x=\x0bevil;max-fr=60", 1)
    made = answer(parse_offer(text))
    assert "evil" not in made.sdp
    assert "a=fmtp:96 profile-id=0" in made.sdp.splitlines()


def test_rtx_needs_nack() -> None:
    text = OFFER.replace(
        "a=rtpmap:96 VP8/90000", "a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rtcp-fb:* nack", 1
    ).replace("SAVPF 96", "SAVPF 96 97", 1)
    assert answer(parse_offer(text)).sections[1].codecs[0].rtx_payload_type == 97
    assert answer(parse_offer(text.replace("a=rtcp-fb:* nack\r\n", ""))).sections[1].codecs[0].rtx_payload_type is None


@pytest.mark.parametrize(
    ("rtpmap", "fmtp", "key"),
    [
        ("opus/48000/2", "", "opus"),
        ("opus/48000", "", None),
        ("H264/90000", "packetization-mode=1;profile-level-id=42C01f", "H264/42e0"),
        ("H264/90000", "packetization-mode=1", "H264/4200"),
        ("H264/90000", "packetization-mode=1;profile-level-id=640032", None),
        ("H264/90000", "profile-level-id=42e01f", None),
        ("VP9/90000", "", "VP9"),
        ("VP9/90000", "profile-id=2", None),
        ("AV1/90000", "profile=0;level-idx=5", "AV1"),
        ("AV1/90000", "profile=1", None),
        ("vp8/90000", "", "VP8"),
        ("VP8/8000", "", None),
    ],
)
def test_codec_keys(rtpmap: str, fmtp: str, key: str | None) -> None:
    text = OFFER.replace("a=rtpmap:96 VP8/90000", f"a=rtpmap:96 {rtpmap}\r\na=fmtp:96 {fmtp}", 1)
    assert parse_offer(text).sections[1].codecs[0].key == key


# ---- refusing

SEND = "a=mid:1\r\na=sendonly\r\n"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("v=0", "v=1", "not_sdp"),
        (OFFER, "", "not_sdp"),
        (OFFER, "v=0\r\n", "no_sections"),
        ("s=-", "x" * 5000, "bad_line"),
        ("s=-", "nonsense", "bad_line"),
        ("s=-", "s=" + "x" * 5000, "bad_line"),
        ("s=-", "\r\n", "bad_line"),
        ("s=-", "s=-" + "\r\na=x" * 9000, "too_many_lines"),
        ("s=-", "s=" + "x" * 300_000, "too_large"),
        ("a=group:BUNDLE 0 1 2 3\r\n", "", "not_bundled"),
        ("BUNDLE 0 1 2 3", "BUNDLE", "not_bundled"),
        ("BUNDLE 0 1 2 3", "BUNDLE 0 1 2", "not_bundled"),
        ("BUNDLE 0 1 2 3", "BUNDLE 9 0 1 2 3", "not_bundled"),
        ("a=group:BUNDLE 0 1 2 3", "a=group:BUNDLE 0 1\r\na=group:BUNDLE 2 3", "not_bundled"),
        ("a=ice-ufrag:abcd", "a=ice-ufrag:abc", "bad_ice_credentials"),
        ("a=ice-ufrag:abcd\r\n", "", "bad_ice_credentials"),
        ("a=ice-ufrag:abcd", "a=ice-ufrag:ab cd", "bad_ice_credentials"),
        ("a=ice-pwd:abcdefghijklmnopqrstuv", "a=ice-pwd:short", "bad_ice_credentials"),
        ("a=ice-ufrag:abcd", "a=ice-ufrag:abcd\r\na=ice-ufrag:efgh", "repeated_attribute"),
        ("a=ice-ufrag", "a=ice-lite\r\na=ice-ufrag", "ice_lite"),
        ("a=setup:actpass", "a=setup:passive", "bad_setup"),
        ("a=setup:actpass\r\n", "", "bad_setup"),
        ("sha-256 ", "md5 ", "no_fingerprint"),
        ("sha-256 AB:", "sha-256 ", "bad_fingerprint"),
        ("sha-256 AB:", "sha-256 XY:", "bad_fingerprint"),
        ("m=video 9 ", "m=video 99999 ", "bad_media_line"),
        ("m=video 9 UDP/TLS/RTP/SAVPF 96", "m=video", "bad_media_line"),
        ("m=video 9 UDP/TLS/RTP/SAVPF 96", "m=vi(deo 9 UDP/TLS/RTP/SAVPF 96", "bad_media_line"),
        ("m=video 9 UDP/TLS/RTP/SAVPF", "m=video 9 UDP<TLS", "bad_media_line"),
        ("SAVPF 96", "SAVPF 96 96", "repeated_payload_type"),
        ("SAVPF 96", "SAVPF 200", "bad_payload_type"),
        ("SAVPF 96", "SAVPF ٩٦", "bad_media_line"),
        ("SAVPF 96", "SAVPF " + " ".join(map(str, range(65))), "too_many_formats"),
        ("a=mid:1", "a=mid:0", "bad_mid"),
        ("a=mid:1", "a=mid:12345678901234567", "bad_mid"),
        ("a=mid:1", "a=mid:a b", "bad_mid"),
        ("a=mid:1\r\n", "", "bad_mid"),
        ("a=rtcp-mux\r\n", "", "no_rtcp_mux"),
        ("a=sendonly", "a=sendonly\r\na=recvonly", "bad_direction"),
        ("a=rtpmap:96 VP8/90000", "a=rtpmap:96 VP8", "bad_rtpmap"),
        ("a=rtpmap:96 VP8/90000", "a=rtpmap:96 VP8/0", "bad_rtpmap"),
        ("a=rtpmap:96 VP8/90000", "a=rtpmap:96 VP8/90000\r\na=rtpmap:96 VP9/90000", "bad_rtpmap"),
        ("a=rtpmap:96 VP8/90000", "a=rtpmap:x VP8/90000", "bad_rtpmap"),
        ("a=rtpmap:96 VP8/90000", "a=rtpmap:* VP8/90000", "bad_rtpmap"),
        ("a=rtpmap:96 VP8/90000", "a=rtpmap:96 rtx/90000\r\na=fmtp:96 apt=900", "bad_rtx"),
        ("a=rtpmap:96 VP8/90000", "a=rtpmap:96 VP8/90000\r\na=fmtp:-1 x=y", "bad_fmtp"),
        ("a=rtpmap:96 VP8/90000", "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:1e3 nack", "bad_rtcp_fb"),
        (SEND, SEND + "a=extmap:1\r\n", "bad_extmap"),
        (SEND, SEND + "a=extmap:0 urn:x\r\n", "bad_extmap"),
        (SEND, SEND + "a=extmap:1 urn:x\r\na=extmap:1 urn:y\r\n", "bad_extmap"),
        (SEND, SEND + "".join(f"a=extmap:{n} urn:x\r\n" for n in range(1, 40)), "too_many_extensions"),
        (SEND, SEND + "a=rid:q\r\n", "bad_rid"),
        (SEND, SEND + "a=rid:q sideways\r\n", "bad_rid"),
        (SEND, SEND + "a=rid:q;h send\r\n", "bad_rid"),
        (SEND, SEND + "a=rid:q send\r\na=rid:q send\r\n", "bad_rid"),
        (SEND, SEND + "".join(f"a=rid:r{n} send\r\n" for n in range(5)), "bad_rid"),
        (SEND, SEND + "a=simulcast:send q\r\n", "bad_simulcast"),
        (SEND, SEND + "a=simulcast:send\r\n", "bad_simulcast"),
        (SEND, SEND + "a=simulcast:both q\r\n", "bad_simulcast"),
        (SEND, SEND + "a=rid:q send\r\na=simulcast:send q;q\r\n", "bad_simulcast"),
        (SEND, SEND + "a=ssrc:0 cname:x\r\n", "bad_ssrc"),
        (SEND, SEND + "a=ssrc:4294967296 cname:x\r\n", "bad_ssrc"),
        (SEND, SEND + "".join(f"a=ssrc:{n} cname:x\r\n" for n in range(1, 20)), "too_many_ssrcs"),
        (SEND, SEND + "a=ssrc-group:FID 1\r\n", "bad_ssrc_group"),
        (SEND, SEND + "a=ssrc-group:FID 1 2\r\n", "bad_ssrc_group"),
        (SEND, SEND + "a=ssrc:1 cname:x\r\na=ssrc-group:FID 1 1\r\n", "bad_ssrc_group"),
    ],
)
def test_refused(old: str, new: str, code: str) -> None:
    assert old in OFFER
    with pytest.raises(SdpError) as caught:
        parse_offer(OFFER.replace(old, new, 1) if old not in ("a=rtcp-mux\r\n",) else OFFER.replace(old, new))
    assert caught.value.code == code


def test_too_many_sections() -> None:
    section = "m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=inactive\r\n"
    assert len(parse_offer(OFFER + section * 60).sections) == 64
    with pytest.raises(SdpError, match="too_many_sections"):
        parse_offer(OFFER + section * 61)


def test_what_bundled_sections_must_agree_about() -> None:
    mid = "urn:ietf:params:rtp-hdrext:sdes:mid"
    rid = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
    first = OFFER.replace("a=mid:0\r\n", f"a=mid:0\r\na=extmap:3 {mid}\r\na=ssrc:5 cname:x\r\n")
    with pytest.raises(SdpError, match="extension_clash"):
        parse_offer(first.replace(SEND, f"{SEND}a=extmap:3 {rid}\r\n"))
    with pytest.raises(SdpError, match="repeated_ssrc"):
        parse_offer(first.replace(SEND, f"{SEND}a=ssrc:5 cname:x\r\n"))
    assert parse_offer(first.replace(SEND, f"{SEND}a=extmap:3 {mid}\r\na=ssrc:6 cname:x\r\n"))


def test_two_byte_extension_ids_and_receive_rids_are_left_out() -> None:
    mid = "urn:ietf:params:rtp-hdrext:sdes:mid"
    text = OFFER.replace(SEND, f"{SEND}a=extmap:15 {mid}\r\na=rid:q recv\r\na=simulcast:recv q\r\n")
    assert parse_offer(text).sections[1].extensions.mid == 0
    assert parse_offer(text).sections[1].rids == ()


def test_simulcast_alternatives_and_paused_streams() -> None:
    text = OFFER.replace(SEND, f"{SEND}a=rid:a send\r\na=rid:b send\r\na=rid:c send\r\na=simulcast:send ~a;b,c recv x\r\n")
    assert parse_offer(text).sections[1].rids == ("a", "b")


def test_bare_line_feeds_are_read() -> None:
    assert parse_offer(OFFER.replace("\r\n", "\n")) == parse_offer(OFFER)


def test_other_groups_and_unanswered_rids() -> None:
    text = OFFER.replace("a=group:BUNDLE", "a=group:LS 0 1\r\na=group:BUNDLE")
    text = text.replace(SEND, f"{SEND}a=rid:a send\r\na=simulcast:send a\r\na=ssrc:3 x\r\na=ssrc-group:SIM 3\r\n")
    offer = parse_offer(text)
    assert offer.sections[1].rids == ("a",)
    assert answer(offer).sections[1].rids == ()
