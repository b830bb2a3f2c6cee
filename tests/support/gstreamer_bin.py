"""GStreamer's webrtcbin as a participant: sends a test picture and a tone, counts what it decodes. Run by ``gstreamer.py``.

Runs under the system's Python, which has GStreamer's bindings, so it imports nothing of ours. Lines of JSON: out ``offer``, then one
``stats`` for each asked; in ``answer``, ``stats``, ``stop``. One offer with everything, as ``docs/protocol.md`` (Media)
asks: a voice and a picture that are sent, then receive-only slots.

    gstreamer_bin.py AUDIO_SLOTS VIDEO_SLOTS CODEC      CODEC: VP8 or H264
"""

import json
import struct
import sys
import threading
from typing import Any

import gi

for name in ("Gst", "GstSdp", "GstWebRTC"):
    gi.require_version(name, "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
TWCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
FRAMES_PER_S = 15
ENCODERS = {
    "VP8": "vp8enc deadline=1 cpu-used=8 target-bitrate=600000 error-resilient=default keyframe-max-dist=3000 ! "
    "rtpvp8pay name=picture_pay pt=96 picture-id-mode=15-bit mtu=1200",
    "H264": "openh264enc bitrate=600000 complexity=low gop-size=3000 ! video/x-h264,profile=constrained-baseline ! "
    "h264parse ! rtph264pay name=picture_pay pt=96 aggregate-mode=zero-latency config-interval=-1 mtu=1200",
}
DECODERS = {
    "VP8": "rtpvp8depay request-keyframe=true ! vp8dec",
    "H264": "rtph264depay request-keyframe=true ! h264parse ! openh264dec",
}
FORMATS = {"VP8": "", "H264": ",packetization-mode=(string)1,profile-level-id=(string)42e01f"}
"""What a receiver says of the format."""
FEEDBACK = "rtcp-fb-nack=true,rtcp-fb-nack-pli=true,rtcp-fb-ccm-fir=true,rtcp-fb-transport-cc=true"


_one_at_a_time = threading.Lock()


def say(**message: Any) -> None:
    """One line, whole: GStreamer's threads speak as well as the main one."""
    line = json.dumps(message) + "\n"
    with _one_at_a_time:
        sys.stdout.write(line)
        sys.stdout.flush()


class Participant:
    """One connection. ``codec``: of the picture, both ways."""

    def __init__(self, audio_slots: int, video_slots: int, codec: str) -> None:
        self.codec = codec
        self.slots = {"audio": audio_slots, "video": video_slots}
        self.received: dict[str, dict[str, Any]] = {}
        voice = "media=audio,encoding-name=OPUS,clock-rate=48000,encoding-params=(string)2,payload=97"
        picture = f"media=video,encoding-name={codec},clock-rate=90000,payload=96,{FEEDBACK}"
        ids = f'extmap-1=(string)"{MID}",extmap-3=(string)"{TWCC}"'
        caps = {
            "audio": f"application/x-rtp,{voice},{ids},rtcp-fb-transport-cc=true",
            "video": f"application/x-rtp,{picture},{ids}",  # the payloader adds what it knows of the format
        }
        slot_caps = {"audio": caps["audio"], "video": caps["video"] + FORMATS[codec]}
        self.pipeline = Gst.parse_launch(
            "webrtcbin name=rtc bundle-policy=max-bundle latency=50 "
            f"audiotestsrc is-live=true freq=440 volume=0.3 ! audioconvert ! opusenc ! rtpopuspay name=voice_pay pt=97 ! "
            f"{caps['audio']} ! rtc.sink_0 "
            f"videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate={FRAMES_PER_S}/1 ! "
            f"videoconvert ! {ENCODERS[codec]} ! {caps['video']} ! rtc.sink_1"
        )
        self.rtc = self.pipeline.get_by_name("rtc")
        for index in (0, 1):
            sender = self.rtc.emit("get-transceiver", index)
            sender.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
            if index == 1:
                sender.set_property("do-nack", True)
        for kind, count in self.slots.items():
            for _ in range(count):
                receive = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
                slot = self.rtc.emit("add-transceiver", receive, Gst.Caps.from_string(slot_caps[kind]))
                slot.set_property("do-nack", kind == "video")
        self.rtc.connect("on-negotiation-needed", self.negotiate)
        self.rtc.connect("pad-added", self.arrives)
        for name in ("connection", "ice-connection", "ice-gathering", "signaling"):
            self.rtc.connect(f"notify::{name}-state", self.state)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message", self.complain)

    def complain(self, _bus: Any, message: Any) -> None:
        if message.type in (Gst.MessageType.ERROR, Gst.MessageType.WARNING):
            failure = message.parse_error() if message.type == Gst.MessageType.ERROR else message.parse_warning()
            say(type="complaint", text=f"{message.src.get_name()}: {failure[0].message} {failure[1]}")

    def state(self, rtc: Any, what: Any) -> None:
        say(type="state", name=what.name, value=rtc.get_property(what.name).value_nick)

    def negotiate(self, _rtc: Any) -> None:
        self.rtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offer, None))

    def offer(self, promise: Any, _data: Any) -> None:
        reply = promise.get_reply()  # kept in a name: the offer does not outlive it
        offer = reply.get_value("offer")
        self.rtc.emit("set-local-description", offer, None)
        say(type="offer", sdp=offer.sdp.as_text())

    def answer(self, text: str) -> None:
        _, sdp = GstSdp.SDPMessage.new_from_text(text)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self.rtc.emit("set-remote-description", answer, None)

    def arrives(self, _rtc: Any, pad: Any) -> None:
        """A slot's first packet came."""
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        caps = pad.get_current_caps().get_structure(0)
        kind = caps.get_string("media")
        mid = pad.get_property("transceiver").get_property("mid")
        row = self.received[mid] = {"mid": mid, "kind": kind, "frames": 0, "width": 0, "height": 0, "energy": 0.0}
        decoder = (
            "rtpopusdepay ! opusdec ! audioconvert ! audio/x-raw,format=S16LE" if kind == "audio" else DECODERS[self.codec]
        )
        branch = Gst.parse_bin_from_description(f"queue ! {decoder} ! fakesink name=sink sync=false signal-handoffs=true", True)
        branch.get_by_name("sink").connect("handoff", self.decoded, row)
        self.pipeline.add(branch)
        branch.sync_state_with_parent()
        pad.link(branch.get_static_pad("sink"))

    def decoded(self, _sink: Any, buffer: Any, pad: Any, row: dict[str, Any]) -> None:
        row["frames"] += 1
        if row["kind"] == "video":
            caps = pad.get_current_caps().get_structure(0)
            row["width"], row["height"] = caps.get_int("width")[1], caps.get_int("height")[1]
            return
        data = buffer.extract_dup(0, buffer.get_size())
        samples = struct.unpack(f"<{len(data) // 2}h", data)
        row["energy"] += sum(one * one for one in samples[::8]) / 32768**2

    def heard(self, command: dict[str, Any]) -> bool:
        if command["type"] == "answer":
            self.answer(command["sdp"])
        elif command["type"] == "stats":
            say(type="stats", received=list(self.received.values()))
        else:
            loop.quit()
        return GLib.SOURCE_REMOVE

    def listen(self) -> None:
        """Hand each command to the main loop; the end of them is a stop."""
        for line in sys.stdin:
            GLib.idle_add(self.heard, json.loads(line))
        GLib.idle_add(self.heard, {"type": "stop"})


if __name__ == "__main__":
    Gst.init(None)
    loop = GLib.MainLoop()
    participant = Participant(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    threading.Thread(target=participant.listen, daemon=True).start()
    participant.pipeline.set_state(Gst.State.PLAYING)
    loop.run()
    participant.pipeline.set_state(Gst.State.NULL)
