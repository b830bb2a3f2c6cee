/** What a page says first, and over which socket: nothing that takes the server long stands before the offer. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ParticipantView, SessionStatus, Welcome } from "../protocol.gen";
import { LiveCall } from "./call";
import { BrowserDevices } from "./devices";
import { FakePeer, FakeSocket, FakeStream } from "./fakes";
import { NO_RECORDING } from "./recording";
import { letGo } from "./socket";

const place = { token: "token", expiresAt: "2999-01-01T00:00:00Z", session: "SE_1", on: { camera: false, microphone: false } };
const URL = "ws://bank/api/v1/signal";

function welcome(status: SessionStatus): Welcome {
  const session = {
    id: "SE_1", kind: "video", status, language: "zh", customer_name: "", customer_reference: "", reason: "", context: "",
    created_at: "2026-01-01T00:00:00Z", waiting_since: null, ended_at: null, end_reason: "", locked: false, waiting_room: false,
  } as const; // prettier-ignore
  const you = { id: "PA_me", role: "customer", name: "", state: "active", tracks: [] } as unknown as ParticipantView; // as much as is read here
  const limits = { media: { audio_slots: 1, video_slots: 1, ice_servers: [] }, files: { max_bytes: 1000, media_types: [] } };
  const snapshot = { session, you, recording: NO_RECORDING, grants: ["publish.camera", "subscribe"], participants: [], consents: [], chat: [], ...limits };
  return { t: "welcome", version: 1, connection: "CN_1", resume_key: "key", resumed: false, ack: 0, heartbeat_s: 4, keep_s: 20, server_time: "", snapshot };
}

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

function begin(early: FakeSocket | null = null): LiveCall {
  return new LiveCall(URL, place, new BrowserDevices(), false, early as unknown as WebSocket | null);
}

async function told(status: SessionStatus = "open"): Promise<string[]> {
  FakeSocket.last.onopen?.();
  FakeSocket.last.frame(welcome(status));
  await settle();
  return FakeSocket.last.frames.flatMap((frame) => (frame.t === "msg" ? [frame.body.type] : []));
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.all = [];
  FakePeer.all = [];
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("RTCPeerConnection", FakePeer);
  vi.stubGlobal("RTCRtpSender", { getCapabilities: () => null });
  vi.stubGlobal("RTCRtpReceiver", { getCapabilities: () => null });
  vi.stubGlobal("MediaStream", FakeStream);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  sessionStorage.clear();
});

describe("what was agreed to before there was a connection", () => {
  it("is told after the offer, because it takes the server longer", async () => {
    const call = begin();
    call.decide("microphone", "given", "microphone-1");
    call.decide("camera", "given", "camera-1");
    expect(await told()).toEqual(["receive.set", "media.offer", "consent.set", "consent.set"]);
  });

  it("is not told when it was taken back, but that it was", async () => {
    const call = begin();
    call.decide("camera", "given", "camera-1");
    call.decide("camera", "withdrawn", "camera-1");
    await told();
    expect(FakeSocket.last.bodies("consent.set").map(({ decision }) => decision)).toEqual(["withdrawn"]);
  });

  it("is told also while there is nobody to talk to yet", async () => {
    const call = begin();
    call.decide("camera", "given", "camera-1");
    expect(await told("waiting")).toEqual(["receive.set", "consent.set"]);
  });
});

describe("a socket that was opened before there was a token", () => {
  it.each([0, 1])("is what hello goes over (ready state %i)", (readyState) => {
    const early = new FakeSocket(URL);
    early.readyState = readyState;
    begin(early);
    if (readyState === 0) early.onopen?.();
    expect(FakeSocket.last).toBe(early);
    expect(early.frames.map(({ t }) => t)).toEqual(["hello"]);
  });

  it("is replaced when the server has given up on it", () => {
    const early = new FakeSocket(URL);
    early.readyState = 3;
    begin(early);
    expect(FakeSocket.last).not.toBe(early);
    FakeSocket.last.onopen?.();
    expect(FakeSocket.last.frames.map(({ t }) => t)).toEqual(["hello"]);
  });

  it("is let go without a complaint when there is no token after all", () => {
    const early = new FakeSocket(URL);
    letGo(early as unknown as WebSocket);
    expect(early.closed).toBe(false);
    early.onopen?.();
    expect(early.closed).toBe(true);
    const open = new FakeSocket(URL);
    open.readyState = 1;
    letGo(open as unknown as WebSocket);
    expect(open.closed).toBe(true);
  });

  it("is tried again like any other when it fails", async () => {
    const early = new FakeSocket(URL);
    begin(early);
    early.cut();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(FakeSocket.last).not.toBe(early);
  });
});

describe("a browser that has none of the relay's video formats", () => {
  it("is told apart from one that has, by the answer", async () => {
    const call = begin();
    await told();
    const answer = (port: number) => ({ type: "media.answer" as const, sdp: `v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nm=video ${port} UDP/TLS/RTP/SAVPF 96\r\n` });
    expect(call.pictures.value).toBe(true);
    FakeSocket.last.frame({ t: "msg", seq: 1, ack: 0, body: answer(0) });
    await settle();
    expect(call.pictures.value).toBe(false);
  });
});
