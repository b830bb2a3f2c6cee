import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ParticipantView, ServerBody, SessionView, Snapshot, Welcome } from "../protocol.gen";
import { LiveCall, PENDING } from "./call";
import { BrowserDevices } from "./devices";
import { FakePeer, FakeSocket, FakeStream, FakeTrack, track } from "./fakes";
import { callPlace, type Place } from "./place";
import { speakers } from "./sound";

const session = (part: Partial<SessionView> = {}): SessionView => ({
  id: "SE_1",
  kind: "video",
  status: "open",
  language: "zh",
  customer_name: "",
  customer_reference: "",
  reason: "",
  context: "",
  created_at: "2026-01-01T00:00:00Z",
  waiting_since: null,
  ended_at: null,
  end_reason: "",
  locked: false,
  waiting_room: false,
  ...part,
});
const person = (id: string, part: Partial<ParticipantView> = {}): ParticipantView => ({ id, role: "agent", name: id, state: "active", tracks: [], on_hold: false, muted: false, listens: false, waits: false, ...part });
const snapshot = (part: Partial<Snapshot> = {}): Snapshot => ({
  session: session(),
  you: person("PA_me", { role: "customer" }),
  grants: ["publish.microphone", "publish.camera", "publish.screen", "subscribe", "chat"],
  participants: [person("PA_agent")],
  consents: [],
  chat: [],
  recording: { type: "recording", state: "off", id: null, started_at: null, recorded: [], missing: [], checklist: [], problem: null, available: true, retention_days: 0 },
  media: { audio_slots: 2, video_slots: 3, ice_servers: [] },
  files: { max_bytes: 1000, media_types: [] },
  ...part,
});
const welcome = (part: Partial<Welcome> = {}): Welcome => ({
  t: "welcome",
  version: 1,
  connection: "CN_1",
  resume_key: "key",
  resumed: false,
  ack: 0,
  heartbeat_s: 4,
  keep_s: 20,
  server_time: "2026-01-01T00:00:00Z",
  snapshot: snapshot(),
  ...part,
});
const consent = (decision: "given" | "withdrawn", scope: "camera" | "microphone" | "screen" = "camera"): ServerBody => ({
  type: "consent.changed",
  consent: { participant: "PA_me", scope, decision, decided_at: "2026-01-01T00:00:00Z" },
});
const line = (number: number, participant: string, client_id = `c${number}`): ServerBody => ({
  type: "chat.message",
  message: { id: `ME_${number}`, number, participant, name: "", role: "agent", client_id, text: "hello", file: null, sent_at: "2026-01-01T00:00:00Z" },
});

let devices: BrowserDevices;

function begin(resumed = false, on: Place["on"] = { camera: true, microphone: true }): LiveCall {
  const place = { token: "token", expiresAt: "2999-01-01T00:00:00Z", session: "SE_1", on };
  const call = new LiveCall("ws://bank/api/v1/signal", place, devices, resumed);
  FakeSocket.last.onopen?.();
  return call;
}

/** Lets promises settle that no timer holds. */
const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

async function reconnect(part: Partial<Welcome>): Promise<void> {
  FakeSocket.last.cut();
  await vi.advanceTimersByTimeAsync(400);
  FakeSocket.last.onopen?.();
  FakeSocket.last.frame(welcome(part));
  await settle();
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
  devices = new BrowserDevices();
});

afterEach(() => {
  vi.useRealTimers();
  sessionStorage.clear();
  document.body.replaceChildren();
});

describe("joining", () => {
  it("draws the snapshot, then offers its one connection", async () => {
    const call = begin();
    expect(call.phase.value).toBe("connecting");
    FakeSocket.last.frame(welcome());
    await settle();
    expect(call.phase.value).toBe("live");
    expect(call.others.value.map(({ id }) => id)).toEqual(["PA_agent"]);
    expect(FakeSocket.last.bodies("media.offer")).toEqual([{ type: "media.offer", sdp: "offer 0.1" }]);
    expect(FakePeer.last.transceivers.map(({ kind, direction }) => `${kind} ${direction}`)).toEqual([
      "audio sendonly",
      "video sendonly",
      "video sendonly",
      ...Array<string>(2).fill("audio recvonly"),
      ...Array<string>(3).fill("video recvonly"),
    ]);
    FakeSocket.last.say({ type: "media.answer", sdp: "answer" });
    await settle();
    FakePeer.last.become("connected");
    expect(call.mediaState.value).toBe("connected");
  });

  it("waits in the queue without media, and goes live when somebody takes the customer", async () => {
    const call = begin();
    FakeSocket.last.frame(welcome({ snapshot: snapshot({ session: session({ status: "waiting" }) }) }));
    FakeSocket.last.say({ type: "queue.position", position: 2, estimated_wait_s: null });
    await settle();
    expect(call.phase.value).toBe("waiting");
    expect(call.queue.value).toEqual({ position: 2, estimatedWaitS: null });
    expect(FakePeer.all).toHaveLength(0);
    FakeSocket.last.say({ type: "session.changed", session: session() });
    await settle();
    expect(call.phase.value).toBe("live");
    expect(call.queue.value).toBeNull();
    expect(FakeSocket.last.bodies("media.offer")).toHaveLength(1);
  });

  it("switches on after a reload what was on before, where the consent stands", async () => {
    const start = vi.spyOn(devices, "start").mockResolvedValue();
    begin(true, { camera: true, microphone: true });
    const consents = [{ participant: "PA_me", scope: "camera", decision: "given", decided_at: "" } as const];
    FakeSocket.last.frame(welcome({ snapshot: snapshot({ consents }) }));
    expect(start).toHaveBeenCalledWith({ camera: true, microphone: false });
  });
});

describe("consent", () => {
  it("sends nothing of a camera before its consent is on record", async () => {
    const camera = track("video");
    devices.cameraTrack.value = camera;
    const call = begin();
    FakeSocket.last.frame(welcome());
    await settle();
    call.decide("camera", "given", "camera-1");
    await settle();
    expect(FakePeer.last.sending).toEqual([null, null, null]);
    expect(FakeSocket.last.bodies("track.state")).toEqual([]);
    FakeSocket.last.say(consent("given"));
    await settle();
    expect(FakePeer.last.sending).toEqual([null, camera, null]);
    expect(FakeSocket.last.bodies("track.state")).toEqual([{ type: "track.state", source: "camera", on: true }]);
    expect(call.consents.value.get("camera")).toBe("given");
  });

  it("detaches at once when it is taken back, also while the line is cut", async () => {
    devices.cameraTrack.value = track("video");
    const call = begin();
    FakeSocket.last.frame(welcome());
    call.decide("camera", "given", "camera-1");
    FakeSocket.last.say(consent("given"));
    await settle();
    FakeSocket.last.cut();
    call.decide("camera", "withdrawn", "camera-1");
    expect(FakePeer.last.sending[1]).toBeNull();
    expect(call.consents.value.get("camera")).toBe("withdrawn");
  });

  it("does not let a late record of a consent undo its withdrawal", async () => {
    devices.cameraTrack.value = track("video");
    const call = begin();
    FakeSocket.last.frame(welcome());
    await settle();
    call.decide("camera", "given", "camera-1");
    call.decide("camera", "withdrawn", "camera-1");
    FakeSocket.last.say(consent("given"));
    await settle();
    expect(FakePeer.last.sending[1]).toBeNull();
    expect(call.consents.value.get("camera")).toBe("withdrawn");
  });

  it("sends nothing without the grant, whatever was agreed", async () => {
    devices.cameraTrack.value = track("video");
    const call = begin();
    FakeSocket.last.frame(welcome({ snapshot: snapshot({ grants: ["subscribe"] }) }));
    call.decide("camera", "given", "camera-1");
    FakeSocket.last.say(consent("given"));
    await settle();
    expect(FakePeer.last.sending[1]).toBeNull();
  });

  it("does not ask the browser for a screen before the consent", async () => {
    const call = begin();
    FakeSocket.last.frame(welcome());
    expect(await call.shareScreen()).toBe(false);
    expect(call.failure.value).toBe("not_allowed");
  });

  it("shares, pauses and stops a screen without negotiating again", async () => {
    const screen = track("video");
    vi.stubGlobal("navigator", { mediaDevices: { getDisplayMedia: async () => new FakeStream([screen]) } });
    const call = begin();
    FakeSocket.last.frame(welcome());
    await settle();
    call.decide("screen", "given", "screen-1");
    expect(await call.shareScreen()).toBe(true);
    FakeSocket.last.say(consent("given", "screen"));
    await settle();
    expect(FakePeer.last.sending[2]).toBe(screen);
    call.pauseScreen(true);
    expect(FakePeer.last.sending[2]).toBeNull();
    call.pauseScreen(false);
    expect(FakePeer.last.sending[2]).toBe(screen);
    call.decide("screen", "withdrawn", "screen-1");
    expect(FakePeer.last.sending[2]).toBeNull();
    expect((screen as unknown as FakeTrack).stopped).toBe(true);
    expect(FakeSocket.last.bodies("track.state").map(({ on }) => on)).toEqual([true, false, true, false]);
    expect(FakePeer.last.offers).toBe(1);
  });

  it("takes the consent back when a screen stops, so that a stop is not taken for a pause", async () => {
    const screen = track("video");
    vi.stubGlobal("navigator", { mediaDevices: { getDisplayMedia: async () => new FakeStream([screen]) } });
    const call = begin();
    FakeSocket.last.frame(welcome());
    await settle();
    call.decide("screen", "given", "screen-1");
    FakeSocket.last.say(consent("given", "screen"));
    await call.shareScreen();
    call.pauseScreen(true);
    expect(FakeSocket.last.bodies("consent.set")).toHaveLength(1);
    screen.onended?.(new Event("ended")); // the browser's own button
    call.stopScreen();
    expect(FakeSocket.last.bodies("consent.set").map(({ decision, wording }) => [decision, wording])).toEqual([
      ["given", "screen-1"],
      ["withdrawn", "screen-1"],
    ]);
    expect(call.screen.value).toBe("off");
  });

  it("takes the consent back when no screen was chosen, and when the page that showed one is loaded again", async () => {
    const getDisplayMedia = async () => Promise.reject(new DOMException("", "NotAllowedError"));
    vi.stubGlobal("navigator", { mediaDevices: { getDisplayMedia } });
    const call = begin();
    FakeSocket.last.frame(welcome());
    call.decide("screen", "given", "screen-1");
    expect(await call.shareScreen()).toBe(false);
    expect(call.failure.value).toBeNull();
    expect(FakeSocket.last.bodies("consent.set").map(({ decision }) => decision)).toEqual(["given", "withdrawn"]);
    call.leave();
    begin(true);
    const consents = [{ participant: "PA_me", scope: "screen" as const, decision: "given" as const, decided_at: "2026-01-01T00:00:00Z" }];
    FakeSocket.last.frame(welcome({ snapshot: snapshot({ consents }) }));
    expect(FakeSocket.last.bodies("consent.set").map(({ decision }) => decision)).toEqual(["withdrawn"]);
  });

  it("mutes by disabling: the track stays, the others are told", async () => {
    const microphone = track("audio");
    devices.microphoneTrack.value = microphone;
    devices.microphoneOn.value = true;
    const call = begin();
    FakeSocket.last.frame(welcome());
    call.decide("microphone", "given", "microphone-1");
    FakeSocket.last.say(consent("given", "microphone"));
    await settle();
    await call.setMicrophone(false);
    expect(microphone.enabled).toBe(false);
    expect(FakePeer.last.sending[0]).toBe(microphone);
    expect(FakeSocket.last.bodies("track.state").map(({ on }) => on)).toEqual([true, false]);
  });
});

describe("chat", () => {
  it("shows one's own line at once, and once", async () => {
    const call = begin();
    FakeSocket.last.frame(welcome());
    call.say("  hello  ");
    expect(call.chat.value).toMatchObject([{ text: "hello", participant: "PA_me" }]);
    const sent = FakeSocket.last.bodies("chat.send")[0];
    expect(call.chat.value[0]?.id).toBe(PENDING + sent?.client_id);
    FakeSocket.last.say(line(1, "PA_agent"));
    FakeSocket.last.say(line(2, "PA_me", sent?.client_id));
    expect(call.chat.value.map(({ id }) => id)).toEqual(["ME_1", "ME_2"]);
    expect(call.unread.value).toBe(1);
    call.markRead();
    call.markRead();
    expect(call.unread.value).toBe(0);
    expect(FakeSocket.last.bodies("chat.read")).toEqual([{ type: "chat.read", message: "ME_2" }]);
  });

  it("takes a refused line back and says why", () => {
    const call = begin();
    FakeSocket.last.frame(welcome());
    call.say("hello");
    FakeSocket.last.say({ type: "error", re: FakeSocket.last.heard, code: "not_allowed", detail: "" });
    expect(call.chat.value).toEqual([]);
    expect(call.failure.value).toBe("not_allowed");
    call.clearFailure();
    expect(call.failure.value).toBeNull();
  });

  it("does not start sending a file with nothing in it", async () => {
    const call = begin();
    FakeSocket.last.frame(welcome());
    await call.sendFile(new File([], "empty.txt"));
    expect(call.uploads.value).toMatchObject([{ name: "empty.txt", error: "empty" }]);
  });

  it("does not start sending a file that is too large", async () => {
    const call = begin();
    FakeSocket.last.frame(welcome());
    await call.sendFile(new File(["x".repeat(1001)], "big.txt"));
    expect(call.uploads.value).toMatchObject([{ name: "big.txt", error: "too_large" }]);
  });
});

describe("cuts and repairs", () => {
  async function connected(): Promise<LiveCall> {
    const call = begin();
    FakeSocket.last.frame(welcome());
    await settle();
    FakeSocket.last.say({ type: "media.answer", sdp: "answer" });
    await settle();
    FakePeer.last.become("connected");
    return call;
  }

  it("keeps the media through a cut of signalling", async () => {
    const call = await connected();
    FakeSocket.last.cut();
    expect(call.phase.value).toBe("reconnecting");
    await vi.advanceTimersByTimeAsync(400);
    FakeSocket.last.onopen?.();
    FakeSocket.last.frame(welcome({ resumed: true, ack: 1, snapshot: null }));
    await settle();
    expect(call.phase.value).toBe("live");
    expect(FakePeer.all).toHaveLength(1);
    expect(FakePeer.last.offers).toBe(1);
  });

  it("connects the media anew when the server knows nothing of the old one, and says again what is on", async () => {
    devices.cameraTrack.value = track("video");
    const consents = [{ participant: "PA_me", scope: "camera", decision: "given", decided_at: "" } as const];
    const call = begin();
    FakeSocket.last.frame(welcome({ snapshot: snapshot({ consents }) }));
    await settle();
    await reconnect({ snapshot: snapshot({ consents }) });
    expect(call.phase.value).toBe("live");
    expect(FakePeer.all.map(({ closed }) => closed)).toEqual([true, false]);
    expect(FakeSocket.last.bodies("track.state")).toEqual([{ type: "track.state", source: "camera", on: true }]);
    expect(FakePeer.last.sending[1]).toBe(devices.cameraTrack.value);
  });

  it("restarts ICE when the path breaks, one restart at a time", async () => {
    const call = await connected();
    FakePeer.last.become("disconnected");
    FakePeer.last.become("disconnected");
    await settle();
    expect(call.mediaState.value).toBe("connecting");
    expect(FakePeer.last.restarts).toBe(1);
    expect(FakeSocket.last.bodies("media.offer")).toHaveLength(2);
    FakeSocket.last.say({ type: "media.answer", sdp: "answer 2" });
    await settle();
    FakePeer.last.become("connected");
    expect(call.mediaState.value).toBe("connected");
    expect(FakePeer.all).toHaveLength(1);
  });

  it("makes another connection when a restart does not help, or the worker is gone", async () => {
    const call = await connected();
    FakePeer.last.become("disconnected");
    await settle();
    FakeSocket.last.say({ type: "media.answer", sdp: "answer 2" });
    await vi.advanceTimersByTimeAsync(8_600);
    expect(FakePeer.all).toHaveLength(2);
    FakeSocket.last.say({ type: "media.answer", sdp: "answer 3" });
    await settle();
    FakePeer.last.become("connected");
    FakeSocket.last.say({ type: "media.lost" });
    await settle();
    expect(FakePeer.all).toHaveLength(3);
    expect(call.mediaState.value).toBe("connecting");
  });

  it("tries again when the relay is not there, and says so after a while", async () => {
    const call = begin();
    FakeSocket.last.frame(welcome());
    for (let round = 0; round < 3; round += 1) {
      await settle();
      FakeSocket.last.say({ type: "error", re: FakeSocket.last.heard, code: "media_unavailable", detail: "" });
      await vi.advanceTimersByTimeAsync(4_000);
    }
    expect(call.mediaState.value).toBe("failed");
    expect(FakePeer.all.length).toBeGreaterThan(3);
    expect(call.failure.value).toBeNull();
    FakeSocket.last.say({ type: "media.answer", sdp: "answer" });
    await settle();
    FakePeer.last.become("connected");
    expect(call.mediaState.value).toBe("connected");
  });

  it("does not repeat an offer that the relay will never take", async () => {
    const call = begin();
    FakeSocket.last.frame(welcome());
    await settle();
    FakeSocket.last.say({ type: "error", re: FakeSocket.last.heard, code: "sdp_refused", detail: "" });
    await vi.advanceTimersByTimeAsync(20_000);
    expect(call.mediaState.value).toBe("failed");
    expect(FakePeer.all).toHaveLength(1);
    call.retry();
    await settle();
    expect(FakePeer.all).toHaveLength(2);
  });

  it("applies the answer to the newest offer only", async () => {
    await connected();
    FakeSocket.last.say({ type: "media.lost" });
    await settle();
    FakeSocket.last.say({ type: "media.lost" });
    await settle();
    expect(FakeSocket.last.bodies("media.offer")).toHaveLength(3);
    FakeSocket.last.say({ type: "error", re: 2, code: "conflict", detail: "" });
    await settle();
    expect(FakePeer.last.answers).toEqual([]);
    FakeSocket.last.say({ type: "media.answer", sdp: "answer 3" });
    await settle();
    expect(FakePeer.last.answers).toEqual(["answer 3"]);
  });

  it("plays voices and shows pictures by the slots message; audio only hides pictures", async () => {
    const play = vi.spyOn(speakers, "play").mockReturnValue();
    const call = await connected();
    FakeSocket.last.say({
      type: "slots",
      slots: [
        { mid: "3", participant: "PA_agent", source: "microphone", held: false },
        { mid: "5", participant: "PA_agent", source: "camera", held: false },
        { mid: "6", participant: null, source: null, held: false },
      ],
    });
    expect(call.remote.value.map(({ source }) => source)).toEqual(["microphone", "camera"]);
    expect(play).toHaveBeenLastCalledWith(call.remote.value[0]?.stream.id, call.remote.value[0]?.stream);
    expect(play).toHaveBeenCalledTimes(1);
    expect(call.remote.value.map(({ held }) => held)).toEqual([false, false]);
    FakeSocket.last.say({
      type: "slots",
      slots: [
        { mid: "3", participant: "PA_agent", source: "microphone", held: false },
        { mid: "5", participant: "PA_agent", source: "camera", held: true },
      ],
    });
    expect(call.remote.value.map(({ held }) => held)).toEqual([false, true]);
    expect(call.network.value).toBeNull();
    FakeSocket.last.say({ type: "network", down_kbps: 180, rtt_ms: null, loss_permille: 12, limit: "bandwidth", held: 1 });
    expect(call.network.value).toEqual({ downKbps: 180, rttMs: null, lossPermille: 12, limit: "bandwidth", held: 1 });
    call.setSaver("audio");
    expect(call.remote.value.map(({ source }) => source)).toEqual(["microphone"]);
    call.setSaver("full");
    expect(call.remote.value).toHaveLength(2);
  });
});

describe("people and the end", () => {
  it("follows who comes, changes and goes", () => {
    const call = begin();
    FakeSocket.last.frame(welcome());
    FakeSocket.last.say({ type: "participant.changed", participant: person("PA_expert", { role: "expert" }) });
    FakeSocket.last.say({ type: "participant.changed", participant: person("PA_agent", { state: "disconnected" }) });
    FakeSocket.last.say({ type: "participant.changed", participant: person("PA_me", { name: "Me" }) });
    expect(call.others.value.map(({ id, state }) => [id, state])).toEqual([["PA_agent", "disconnected"], ["PA_expert", "active"]]);
    expect(call.me.value?.name).toBe("Me");
    FakeSocket.last.say({ type: "quality", participant: "PA_agent", level: "poor", rtt_ms: 700, loss_permille: 100 });
    FakeSocket.last.say({ type: "asked", by: "PA_agent", source: "camera" });
    expect(call.quality.value.get("PA_agent")?.level).toBe("poor");
    FakeSocket.last.say({ type: "participant.left", participant: "PA_agent", reason: "left" });
    expect(call.others.value.map(({ id }) => id)).toEqual(["PA_expert"]);
    expect(call.asked.value).toBeNull();
    expect(call.quality.value.size).toBe(0);
  });

  it("ends for the reason that the server gives, lets go of everything, and forgets the place", async () => {
    const camera = track("video");
    devices.cameraTrack.value = camera;
    const call = begin();
    FakeSocket.last.frame(welcome());
    await settle();
    expect(callPlace.recall()).not.toBeNull();
    FakeSocket.last.frame({ t: "bye", code: "removed", detail: "", retry: false });
    await settle();
    expect(call.phase.value).toBe("ended");
    expect(call.endedBecause.value).toBe("removed");
    expect(FakePeer.last.closed).toBe(true);
    expect((camera as unknown as FakeTrack).stopped).toBe(true);
    expect(callPlace.recall()).toBeNull();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakeSocket.all).toHaveLength(1);
  });

  it("leaves at once", () => {
    const call = begin();
    FakeSocket.last.frame(welcome());
    call.leave();
    expect(FakeSocket.last.bodies("leave")).toHaveLength(1);
    expect(FakeSocket.last.closed).toBe(true);
    expect(call.endedBecause.value).toBe("left");
  });

  it("asks for no more pictures than the saver leaves, and says so again to a page's new place", async () => {
    const call = begin();
    FakeSocket.last.frame(welcome());
    call.setSaver("saver");
    call.setSaver("audio");
    expect(FakeSocket.last.bodies("receive.set").map(({ video }) => video)).toEqual([3, 2, 0]); // there are three slots
    await reconnect({ resumed: false });
    expect(FakeSocket.last.bodies("receive.set").at(-1)).toEqual({ type: "receive.set", video: 0, sizes: [] });
  });

  it("says how tall it draws each picture, and forgets it with who was shown", async () => {
    const call = begin();
    FakeSocket.last.frame(welcome());
    await settle();
    const shown = (mid: string, participant: string | null): ServerBody => ({
      type: "slots",
      slots: [{ mid, participant, source: participant === null ? null : "camera", held: false }],
    });
    const sizes = (): unknown => FakeSocket.last.bodies("receive.set").at(-1)?.sizes;
    FakeSocket.last.say(shown("5", "PA_agent"));
    const stream = call.remote.value[0]!.stream;
    call.drawn(stream, 400);
    call.drawn(new MediaStream(), 100); // of a connection that is gone
    await vi.advanceTimersByTimeAsync(300);
    expect(sizes()).toEqual([{ mid: "5", height: 400 }]);
    call.setSaver("saver");
    expect(FakeSocket.last.bodies("receive.set").at(-1)).toEqual({ type: "receive.set", video: 2, sizes: [{ mid: "5", height: 400 }] });
    call.drawn(stream, 0);
    await vi.advanceTimersByTimeAsync(300);
    expect(sizes()).toEqual([{ mid: "5", height: 0 }]);
    FakeSocket.last.say(shown("5", null));
    expect(sizes()).toEqual([]); // or whoever comes next would not be seen
    call.drawn(stream, 0); // the tile goes
    await vi.advanceTimersByTimeAsync(1_000);
    expect(sizes()).toEqual([]);
  });

  it("sends only the encodings that the relay asks for", async () => {
    begin();
    FakeSocket.last.frame(welcome());
    await settle();
    FakeSocket.last.say({ type: "encodings", source: "camera", active: ["q"] });
    await settle();
    const camera = FakePeer.last.transceivers[1]!.sender;
    expect(camera.encodings.filter((one) => one.active).map(({ rid }) => rid)).toEqual(["q"]);
  });

  it("keeps a renewed token for a reload", () => {
    begin();
    FakeSocket.last.frame(welcome());
    FakeSocket.last.say({ type: "token.renewed", token: "newer", expires_at: "2999-02-02T00:00:00Z" });
    expect(callPlace.recall()?.token).toBe("newer");
  });
});
