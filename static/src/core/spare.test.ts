import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { IceServer } from "../protocol.gen";
import { FakePeer, FakeStream, track } from "./fakes";
import { Media } from "./media";
import { Spare, spare } from "./spare";

const SLOTS = { audio_slots: 1, video_slots: 2, relay: false };
const LIMITS = { audio_slots: 1, video_slots: 2, ice_servers: [] };
const RELAY: IceServer[] = [{ urls: ["turn:192.0.2.1:3478?transport=udp"], username: "1:PA_a", credential: "c" }];

beforeEach(() => {
  vi.useFakeTimers();
  FakePeer.all = [];
  vi.stubGlobal("RTCPeerConnection", FakePeer);
  vi.stubGlobal("MediaStream", FakeStream);
  vi.stubGlobal("RTCRtpSender", { getCapabilities: () => null });
  vi.stubGlobal("RTCRtpReceiver", { getCapabilities: () => null });
});
afterEach(() => {
  spare.drop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
const media = (offer: (sdp: string) => boolean): Media => new Media({ offer, quality: () => undefined, drawn: () => undefined });

it("is offered at once, with the tracks that there are by then", async () => {
  spare.prepare(SLOTS);
  expect(FakePeer.last.localDescription).toBeNull(); // no address is looked for before it is needed
  spare.begin(SLOTS);
  await settle();
  const offers: string[] = [];
  const call = media((sdp) => offers.push(sdp) > 0);
  const camera = track("video");
  call.setTrack("camera", camera);
  void call.start(LIMITS);
  expect(offers).toEqual(["offer 0.1"]);
  await settle();
  expect(FakePeer.all).toHaveLength(1);
  expect(FakePeer.last.sending).toEqual([null, camera, null]);
  call.close();
  expect(FakePeer.last.closed).toBe(true);
});

it("is described later where a relay will be named, and uses it", async () => {
  spare.begin({ ...SLOTS, relay: true });
  await settle();
  expect(FakePeer.last.localDescription).toBeNull();
  const offers: string[] = [];
  const call = media((sdp) => offers.push(sdp) > 0);
  await call.start({ ...LIMITS, ice_servers: RELAY });
  expect(offers).toEqual(["offer 0.1"]);
  expect(FakePeer.last.configuration.iceServers).toEqual(RELAY);
  expect(FakePeer.all).toHaveLength(1);
  call.close();
});

it("is thrown away where it is not what is wanted", async () => {
  const made = new Spare();
  made.prepare(SLOTS);
  expect(made.take({ ...LIMITS, video_slots: 3 })).toBeNull();
  expect(FakePeer.last.closed).toBe(true);
  made.begin(SLOTS); // described without the relay that turns up after all
  expect(made.take({ ...LIMITS, ice_servers: RELAY })).toBeNull();
  expect(FakePeer.last.closed).toBe(true);
  expect(made.take(LIMITS)).toBeNull();
});

it("is made anew when its addresses are old", async () => {
  const made = new Spare();
  made.begin(SLOTS);
  await vi.advanceTimersByTimeAsync(31_000);
  made.begin(SLOTS);
  expect(FakePeer.all.map(({ closed }) => closed)).toEqual([true, false]);
  await vi.advanceTimersByTimeAsync(31_000);
  expect(made.take(LIMITS)).toBeNull();
  expect(FakePeer.last.closed).toBe(true);
});

it("is one, however often it is asked for, and taken once", () => {
  const made = new Spare();
  made.prepare(SLOTS);
  made.prepare(SLOTS);
  expect(FakePeer.all).toHaveLength(1);
  expect(made.take(LIMITS)).not.toBeNull();
  expect(made.take(LIMITS)).toBeNull();
  expect(FakePeer.last.closed).toBe(false);
});

it("costs nothing where it cannot be made", async () => {
  const made = new Spare();
  FakePeer.refuses = () => true;
  made.begin(SLOTS);
  FakePeer.refuses = () => false;
  expect(made.take(LIMITS)).toBeNull();
  vi.spyOn(FakePeer.prototype, "createOffer").mockRejectedValueOnce(new DOMException("", "OperationError"));
  made.begin(SLOTS);
  await settle();
  expect(FakePeer.last.closed).toBe(true);
  expect(made.take(LIMITS)).toBeNull();
});

it("is given up where nobody calls for minutes, and made anew when somebody does", async () => {
  const made = new Spare();
  made.prepare(SLOTS);
  await vi.advanceTimersByTimeAsync(179_000);
  expect(FakePeer.last.closed).toBe(false);
  made.begin(SLOTS);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(FakePeer.all.map(({ closed }) => closed)).toEqual([false]);
  expect(made.take(LIMITS)).not.toBeNull();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(FakePeer.last.closed).toBe(false); // whoever took it closes it
  made.prepare(SLOTS);
  await vi.advanceTimersByTimeAsync(181_000);
  expect(FakePeer.last.closed).toBe(true);
  made.begin(SLOTS);
  await vi.advanceTimersByTimeAsync(0);
  expect(FakePeer.all.map(({ closed }) => closed)).toEqual([false, true, false]);
  expect(made.take(LIMITS)).not.toBeNull();
});

it("is not thrown away because an older one has failed", async () => {
  const made = new Spare();
  let fail = (): void => undefined;
  vi.spyOn(FakePeer.prototype, "createOffer").mockImplementationOnce(
    () => new Promise((_, reject) => (fail = () => reject(new DOMException("", "InvalidStateError")))),
  );
  made.prepare(SLOTS);
  made.drop();
  made.prepare(SLOTS);
  fail();
  await vi.advanceTimersByTimeAsync(0);
  expect(FakePeer.all.map(({ closed }) => closed)).toEqual([true, false]);
  expect(made.take(LIMITS)).not.toBeNull();
});
