import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { IceServer } from "../protocol.gen";
import { FakePeer, FakeStream } from "./fakes";
import { Media } from "./media";

const relay = (username: string): IceServer[] => [{ urls: ["turn:192.0.2.1:3478?transport=udp"], username, credential: "c" }];

beforeEach(() => {
  vi.useFakeTimers();
  FakePeer.all = [];
  vi.stubGlobal("RTCPeerConnection", FakePeer);
  vi.stubGlobal("MediaStream", FakeStream);
  vi.stubGlobal("RTCRtpSender", { getCapabilities: () => null });
  vi.stubGlobal("RTCRtpReceiver", { getCapabilities: () => null });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function connected(servers: IceServer[]): Promise<Media> {
  const media = new Media({ offer: () => true, quality: () => undefined, drawn: () => undefined });
  media.start({ audio_slots: 1, video_slots: 1, ice_servers: servers });
  await vi.advanceTimersByTimeAsync(0);
  media.answer("answer");
  await vi.advanceTimersByTimeAsync(0);
  FakePeer.last.become("connected");
  return media;
}

it("uses the relays that the server named, and none where it named none", async () => {
  (await connected(relay("1:PA_a"))).close();
  expect(FakePeer.last.made.iceServers).toEqual(relay("1:PA_a"));
  (await connected([])).close();
  expect(FakePeer.last.made.iceServers).toEqual([]);
});

it("uses renewed ones from the next restart on, and leaves what runs alone", async () => {
  const media = await connected(relay("1:PA_a"));
  media.setIceServers(relay("2:PA_a"));
  expect(FakePeer.last.configuration.iceServers).toEqual(relay("1:PA_a"));
  FakePeer.last.become("disconnected");
  await vi.advanceTimersByTimeAsync(0);
  expect(FakePeer.last.restarts).toBe(1);
  expect(FakePeer.last.configuration.iceServers).toEqual(relay("2:PA_a"));
  media.lost();
  await vi.advanceTimersByTimeAsync(0);
  expect(FakePeer.all).toHaveLength(2);
  expect(FakePeer.last.made.iceServers).toEqual(relay("2:PA_a"));
  media.close();
});
