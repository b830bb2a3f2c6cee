import { describe as suite, expect, it, vi } from "vitest";
import { describe, withVoicesRepeated } from "./nack";

const HEAD = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n";
const AUDIO = "m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=rtpmap:63 red/48000/2\r\n";
const VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\n";
const LINE = "a=rtcp-fb:111 nack\r\n";

suite("voices are repeated", () => {
  it("says so after the codec of each audio section and nowhere else", () => {
    const asked = AUDIO.replace("2\r\na=rtcp", `2\r\n${LINE}a=rtcp`);
    expect(withVoicesRepeated(HEAD + AUDIO + VIDEO + AUDIO)).toBe(HEAD + asked + VIDEO + asked);
  });

  it.each([
    ["no sound", HEAD + VIDEO],
    ["sound without Opus", HEAD + AUDIO.replace("opus", "G722")],
    ["who asks already", HEAD + AUDIO + LINE],
    ["who asks for every codec", `${HEAD + AUDIO}a=rtcp-fb:* nack\r\n`],
    ["nothing", ""],
  ])("leaves %s as it was", (_, sdp) => {
    expect(withVoicesRepeated(sdp)).toBe(sdp);
  });

  it("asks for each payload type, whatever the case and the line ends", () => {
    const sdp = "m=audio 9 RTP/AVP 1 11\na=rtpmap:11 OPUS/48000/2\na=rtpmap:1 opus/48000/2\na=rtcp-fb:11 nack pli\n";
    expect(withVoicesRepeated(sdp)).toBe(
      "m=audio 9 RTP/AVP 1 11\na=rtpmap:11 OPUS/48000/2\na=rtcp-fb:11 nack\na=rtpmap:1 opus/48000/2\na=rtcp-fb:1 nack\na=rtcp-fb:11 nack pli\n",
    );
  });
});

suite("describing ourselves", () => {
  const offer = { type: "offer" as const, sdp: HEAD + AUDIO };

  it("is done with the line", async () => {
    const setLocalDescription = vi.fn(async (_: RTCLocalSessionDescriptionInit) => undefined);
    await describe({ createOffer: async () => offer, setLocalDescription });
    expect(setLocalDescription.mock.calls).toEqual([[{ type: "offer", sdp: withVoicesRepeated(offer.sdp) }]]);
  });

  it("goes on without it where the browser refuses", async () => {
    const setLocalDescription = vi.fn(async (description: RTCLocalSessionDescriptionInit) => {
      if (description.sdp !== offer.sdp) throw new DOMException("", "InvalidModificationError");
    });
    await describe({ createOffer: async () => offer, setLocalDescription });
    expect(setLocalDescription.mock.lastCall).toEqual([offer]);
  });

  it("fails where the browser refuses even its own", async () => {
    const setLocalDescription = async (): Promise<void> => {
      throw new DOMException("", "InvalidStateError");
    };
    await expect(describe({ createOffer: async () => offer, setLocalDescription })).rejects.toThrow(DOMException);
  });
});
