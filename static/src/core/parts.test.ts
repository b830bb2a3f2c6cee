import { describe, expect, it, vi } from "vitest";
import { preferred, refuses } from "./codecs";
import { tokenExpiry } from "./desk";
import { loudness } from "./devices";
import { callPlace } from "./place";
import { ApiError, apiProblem, deviceProblem, signedOut, surroundings } from "./problems";
import { level, report, sample, undersized, worthSending } from "./quality";
import { remoteTracks } from "./slots";
import { signalUrl } from "./socket";
import { Speakers } from "./sound";

const stream = (id: string): MediaStream => ({ id }) as MediaStream;

describe("slots", () => {
  const receivers = new Map([["3", stream("a")], ["4", stream("b")], ["9", stream("c")]]);

  it("shows who is in which slot, in the order of the message", () => {
    const tracks = remoteTracks(
      [
        { mid: "9", participant: "PA_1", source: "camera", held: false },
        { mid: "3", participant: "PA_1", source: "microphone", held: false },
        { mid: "4", participant: null, source: null, held: false },
      ],
      receivers,
      [],
    );
    expect(tracks.map(({ participant, source, stream }) => [participant, source, stream.id])).toEqual([
      ["PA_1", "camera", "c"],
      ["PA_1", "microphone", "a"],
    ]);
  });

  it("keeps what did not change, and follows a slot that changes hands", () => {
    const before = remoteTracks([{ mid: "3", participant: "PA_1", source: "microphone", held: false }, { mid: "9", participant: "PA_1", source: "camera", held: false }], receivers, []);
    const after = remoteTracks([{ mid: "3", participant: "PA_1", source: "microphone", held: false }, { mid: "9", participant: "PA_2", source: "camera", held: false }], receivers, before);
    expect(after[0]).toBe(before[0]);
    expect(after[1]).not.toBe(before[1]);
    expect(after[1]).toMatchObject({ participant: "PA_2" });
  });

  it("skips slots of a connection that is gone", () => {
    expect(remoteTracks([{ mid: "77", participant: "PA_1", source: "camera", held: false }], receivers, [])).toEqual([]);
  });
});

describe("problems", () => {
  it.each([
    ["NotAllowedError", "denied"],
    ["NotFoundError", "none"],
    ["OverconstrainedError", "none"],
    ["NotReadableError", "busy"],
    ["AbortError", "busy"],
    ["SecurityError", "insecure"],
    ["NotSupportedError", "unsupported"],
    ["TypeError", "failed"],
    ["toString", "failed"],
  ])("%s is %s", (name, problem) => {
    expect(deviceProblem(Object.assign(new Error(), { name }))).toBe(problem);
  });

  it("does not stumble over what is no error", () => {
    for (const odd of [null, undefined, "denied", 5, {}]) expect(deviceProblem(odd)).toBe("failed");
  });

  it("knows where no camera can be had", () => {
    expect(surroundings(false, false)).toBe("insecure");
    expect(surroundings(true, false)).toBe("unsupported");
    expect(surroundings(true, true)).toBeNull();
  });

  it("reads problem details, and makes do without", () => {
    expect(apiProblem(409, { code: "conflict", detail: "Taken." }, null)).toMatchObject({ code: "conflict", detail: "Taken.", retryAfterS: null });
    expect(apiProblem(429, { code: "too_many" }, "30")).toMatchObject({ code: "too_many", detail: "", retryAfterS: 30 });
    expect(apiProblem(429, "<html>", "soon")).toMatchObject({ code: "too_many", retryAfterS: null });
    expect(apiProblem(502, null, null).code).toBe("unavailable");
    expect(apiProblem(400, { code: 5 }, null).code).toBe("failed");
  });

  it("tells a token that is over from other trouble", () => {
    expect(signedOut(new ApiError("token_expired", ""))).toBe(true);
    expect(signedOut(new ApiError("offline", ""))).toBe(false);
    expect(signedOut(new Error("token_expired"))).toBe(false);
  });
});

describe("quality", () => {
  const at = (atMs: number, received: number, lost: number) =>
    sample(
      [
        { type: "inbound-rtp", packetsReceived: received, packetsLost: lost, bytesReceived: received * 1000 },
        { type: "inbound-rtp", packetsReceived: 0, packetsLost: Number.NaN },
        { type: "outbound-rtp", bytesSent: received * 500 },
        { type: "remote-inbound-rtp", fractionLost: 0.001, roundTripTime: 0.9 },
        { type: "candidate-pair", nominated: true, state: "succeeded", currentRoundTripTime: 0.04 },
        { type: "candidate-pair", nominated: false, state: "failed", currentRoundTripTime: 3 },
        { type: "codec" },
      ],
      atMs,
    );

  it("says what was between two samples", () => {
    expect(report(at(0, 100, 0), at(2_000, 195, 5))).toEqual({
      type: "quality.report",
      level: "fair",
      rtt_ms: 40,
      loss_permille: 50,
      down_kbps: 380,
      up_kbps: 190,
    });
  });

  it("stays within what the server takes, whatever the browser says", () => {
    const odd = report(at(0, 100, 90), at(0, 50, 10));
    expect(odd).toMatchObject({ loss_permille: 1, down_kbps: 0, up_kbps: 0 });
    const silent = sample([], 0);
    expect(report(silent, { ...silent, atMs: 1_000 })).toMatchObject({ level: "good", rtt_ms: 0, loss_permille: 0 });
  });

  it.each([
    [100, 5, "good"],
    [300, 0, "fair"],
    [100, 30, "fair"],
    [600, 0, "poor"],
    [100, 90, "poor"],
  ] as const)("%i ms and %i ‰ are %s", (rtt, loss, expected) => {
    expect(level(rtt, loss)).toBe(expected);
  });

  it("sees a camera that is sent too small for its path", () => {
    const stat = { type: "outbound-rtp", mid: "1", frameWidth: 320, qualityLimitationReason: "bandwidth", targetBitrate: 1_500_000 };
    const is = (part: object): boolean => undersized([{ type: "codec" }, { ...stat, mid: "2", frameWidth: 960 }, { ...stat, rid: "q", frameWidth: 960 }, { ...stat, ...part }], "1", "", 960, 1_500_000);
    expect(is({})).toBe(true);
    expect(is({ frameWidth: 960 })).toBe(false);
    expect(is({ frameWidth: 0 })).toBe(false);
    expect(is({ qualityLimitationReason: "cpu" })).toBe(false);
    expect(is({ targetBitrate: 600_000 })).toBe(false);
    expect(is({ rid: "f" })).toBe(false);
    expect(undersized([{ ...stat, rid: "f" }], "1", "f", 960, 1_500_000)).toBe(true);
    expect(undersized([], "1", "", 960, 1_500_000)).toBe(false);
  });

  it("is told when it changes, else every five seconds", () => {
    const good = report(at(0, 100, 0), at(1_000, 200, 0));
    expect(worthSending(null, 0, good, 0)).toBe(true);
    expect(worthSending(good, 0, good, 4_999)).toBe(false);
    expect(worthSending(good, 0, good, 5_000)).toBe(true);
    expect(worthSending(good, 0, { ...good, level: "poor" }, 1_000)).toBe(true);
    expect(worthSending(good, 0, { ...good, rtt_ms: good.rtt_ms + 60 }, 1_000)).toBe(true);
  });
});

describe("codecs", () => {
  it("says whether an answer refuses every picture, or every voice", () => {
    const answer = (...ports: number[]): string => `v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n${ports.map((port) => `m=video ${port} UDP/TLS/RTP/SAVPF 96\r\na=inactive\r\n`).join("")}`;
    expect(refuses(answer(0, 0, 0), "video")).toBe(true);
    expect(refuses(answer(0, 9, 0), "video")).toBe(false);
    expect(refuses(answer(9), "video")).toBe(false);
    expect(refuses(answer(0, 0), "audio")).toBe(false);
    expect(refuses("v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", "video")).toBe(false); // nothing was asked for
  });

  const video = [
    { mimeType: "video/H264", sdpFmtpLine: "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f" },
    { mimeType: "video/AV1", sdpFmtpLine: "level-idx=5;profile=0;tier=0" },
    { mimeType: "video/rtx" },
    { mimeType: "video/VP9", sdpFmtpLine: "profile-id=2" },
    { mimeType: "video/VP9", sdpFmtpLine: "profile-id=0" },
    { mimeType: "video/H264", sdpFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f" },
    { mimeType: "video/H264", sdpFmtpLine: "packetization-mode=1;profile-level-id=64001f" },
    { mimeType: "video/VP8" },
    { mimeType: "video/red" },
    { mimeType: "video/ulpfec" },
  ];

  it("offers what the relay forwards, VP8 first, repair last", () => {
    expect(preferred("video", video)).toEqual([video[7], video[5], video[4], video[1], video[2]]);
  });

  it("offers opus alone for voices", () => {
    const opus = { mimeType: "audio/opus" };
    expect(preferred("audio", [{ mimeType: "audio/G722" }, opus, { mimeType: "audio/CN" }])).toEqual([opus]);
    const red = { mimeType: "audio/red", sdpFmtpLine: "111/111" };
    expect(preferred("audio", [red, { mimeType: "audio/G722" }, opus])).toEqual([opus, red]); // the first is sent
    expect(preferred("audio", [red])).toEqual([]);
  });
});

describe("small things", () => {
  it("finds the signalling address", () => {
    expect(signalUrl({ protocol: "https:", host: "bank.example" })).toBe("wss://bank.example/api/v1/signal");
    expect(signalUrl({ protocol: "http:", host: "127.0.0.1:8080" })).toBe("ws://127.0.0.1:8080/api/v1/signal");
  });

  it("measures loudness between silence and full", () => {
    expect(loudness(new Float32Array(64))).toBe(0);
    expect(loudness(new Float32Array(64).fill(1))).toBe(1);
    expect(loudness(new Float32Array(64).fill(0.0316))).toBeCloseTo(0.56, 1);
  });

  it("reads when a token ends, or assumes an hour", () => {
    const token = `x.${btoa(JSON.stringify({ exp: 1_800_000_000 }))}.y`;
    expect(tokenExpiry(token)).toBe("2027-01-15T08:00:00.000Z");
    for (const odd of ["", "a.b.c", `x.${btoa("5")}.y`]) expect(tokenExpiry(odd, 0)).toBe("1970-01-01T01:00:00.000Z");
  });

  it("recalls a place until its token ends, and nothing that is damaged", () => {
    const place = { token: "t", expiresAt: "2026-01-01T00:00:10Z", session: "SE_1", on: { camera: true, microphone: false } };
    const at = Date.parse("2026-01-01T00:00:00Z");
    callPlace.keep(place);
    expect(callPlace.recall(at)).toEqual(place);
    expect(callPlace.recall(at + 10_000)).toBeNull();
    for (const damaged of ["{", "5", '{"token":"t"}']) {
      sessionStorage.setItem("tongping.place", damaged);
      expect(callPlace.recall(at)).toBeNull();
    }
    callPlace.clear();
    expect(callPlace.recall(at)).toBeNull();
  });
});

describe("voices", () => {
  it("say when the browser wants a touch first, and play at that touch", async () => {
    const speakers = new Speakers();
    const play = vi.spyOn(HTMLMediaElement.prototype, "play").mockRejectedValueOnce(new DOMException("", "NotAllowedError")).mockResolvedValue();
    speakers.play("a", new MediaStream());
    await vi.waitFor(() => expect(speakers.blocked.value).toBe(true));
    window.dispatchEvent(new Event("pointerdown"));
    await vi.waitFor(() => expect(speakers.blocked.value).toBe(false));
    expect(play).toHaveBeenCalledTimes(2);
    speakers.clear();
    play.mockRestore();
  });
});
