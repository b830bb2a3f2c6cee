import { describe, expect, it } from "vitest";
import type { Connection } from "./connection";
import { Voices } from "./voices";

const ANSWER = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:63 red/48000/2\r\n";
const RED = ANSWER.replace("111 63", "63 111");

/** A connection as far as voices go: what it was told, and the receiver of slot 3. */
function connection({ refuses = false, able = true, state = "stable" } = {}) {
  const told: string[] = [];
  const receiver: { jitterBufferTarget?: number | null } = able ? { jitterBufferTarget: null } : {};
  const peer = {
    signalingState: state,
    createOffer: async () => ({ type: "offer", sdp: "offer" }),
    setLocalDescription: async ({ type }: { type: string }) => void told.push(type),
    setRemoteDescription: async ({ sdp }: { sdp: string }) => {
      if (refuses) throw new DOMException("", "OperationError");
      told.push(sdp);
    },
  };
  const built = { peer, senders: { microphone: { mid: "0" } }, slots: [{ transceiver: { mid: "3", receiver } }] } as unknown as Connection;
  return { told, receiver, built };
}

describe("our voice", () => {
  it("goes out plain until the relay wants it with redundancy, and again when it does not", async () => {
    const { told, built } = connection();
    const voices = new Voices();
    expect(voices.due).toBe(false);
    voices.want(true);
    expect(voices.due).toBe(false); // no answer yet
    voices.want(false);
    expect(voices.take(built, ANSWER)).toBe(ANSWER);
    for (const redundant of [true, false]) {
      voices.want(redundant);
      expect(voices.due).toBe(true);
      await voices.tell(built);
      expect(voices.due).toBe(false);
    }
    expect(told).toEqual(["offer", RED, "offer", ANSWER]);
  });

  it("stays with redundancy through another answer", () => {
    const { built } = connection();
    const voices = new Voices();
    voices.take(built, ANSWER);
    voices.want(true);
    expect(voices.take(built, ANSWER)).toBe(RED);
    expect(voices.due).toBe(false);
  });

  it("goes on as it did where the browser refuses", async () => {
    const { told, built } = connection({ refuses: true });
    const voices = new Voices();
    voices.take(built, ANSWER);
    voices.want(true);
    await voices.tell(built);
    expect(told).toEqual(["offer", "rollback"]);
    expect(voices.due).toBe(false);
  });

  it("is not touched while something is negotiated, or without an answer", async () => {
    const { told, built } = connection({ state: "have-local-offer" });
    const voices = new Voices();
    await voices.tell(built);
    voices.take(built, ANSWER);
    voices.want(true);
    await voices.tell(built);
    expect(told).toEqual([]);
    expect(voices.due).toBe(true);
  });
});

describe("others' voices", () => {
  const voice = (seconds: number, mid = "3"): Record<string, unknown> => ({
    type: "inbound-rtp",
    kind: "audio",
    mid,
    totalSamplesReceived: seconds * 48_000,
    concealedSamples: seconds * 4_800,
    jitterBufferDelay: seconds * 4_800,
    jitterBufferEmittedCount: seconds * 48_000,
  });
  const others = [{ type: "outbound-rtp", kind: "audio", mid: "3" }, { type: "inbound-rtp", kind: "video", mid: "3" }, { type: "inbound-rtp", kind: "audio" }, voice(1, "9")];

  it("are kept longer while words are missing, each in its own slot", () => {
    const { built, receiver } = connection();
    const voices = new Voices();
    for (const seconds of [1, 2, 3]) voices.look(built, [...others, voice(seconds)], 200);
    expect(receiver.jitterBufferTarget).toBe(180);
  });

  it("are kept as the browser likes where it cannot be told", () => {
    const { built, receiver } = connection({ able: false });
    const voices = new Voices();
    for (const seconds of [1, 2, 3]) voices.look(built, [voice(seconds)], 200);
    expect(receiver).toEqual({});
  });
});
