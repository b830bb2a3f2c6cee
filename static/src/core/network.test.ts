import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { IceServer } from "../protocol.gen";
import { FakePeer } from "./fakes";
import { testWays, verdict, ways, type WayResult } from "./network";

const relay: IceServer = {
  urls: ["turn:192.0.2.1:3478?transport=udp", "turn:192.0.2.1:3478?transport=tcp", "turns:192.0.2.1:443?transport=tcp"],
  username: "1:PA_a",
  credential: "c",
};
const result = (way: WayResult["way"], works: boolean): WayResult => ({ way, works, rttMs: null });

describe("ways", () => {
  it("are straight on, and each URL of a relay by itself", () => {
    expect(ways([]).map(({ way }) => way)).toEqual(["direct"]);
    expect(ways([relay]).map(({ way, server }) => [way, server?.urls ?? []])).toEqual([
      ["direct", []],
      ["udp", [relay.urls[0]]],
      ["tcp", [relay.urls[1]]],
      ["tls", [relay.urls[2]]],
    ]);
  });
});

describe("verdict", () => {
  it("is the best way that works", () => {
    expect(verdict([result("direct", true), result("tls", true)])).toBe("direct");
    expect(verdict([result("direct", false), result("udp", false), result("tcp", true), result("tls", true)])).toBe("tcp");
    expect(verdict([result("direct", false), result("tls", true)])).toBe("tls");
    expect(verdict([result("direct", false)])).toBe("none");
    expect(verdict([])).toBe("none");
  });
});

describe("testing", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    FakePeer.all = [];
    vi.stubGlobal("RTCPeerConnection", FakePeer);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("tries each way with only that way open, and closes every connection", async () => {
    const told: WayResult[] = [];
    const running = testWays([relay], async () => "answer", (one) => told.push(one));
    await vi.advanceTimersByTimeAsync(0);
    FakePeer.all[3]?.become("connected");
    FakePeer.all[1]?.become("connected");
    FakePeer.all[2]?.become("failed");
    await vi.advanceTimersByTimeAsync(10_000);
    const results = await running;
    expect(results.map(({ way, works }) => [way, works])).toEqual([
      ["direct", false],
      ["udp", true],
      ["tcp", false],
      ["tls", true],
    ]);
    expect(told.map(({ way }) => way)).toEqual(["tcp", "tls", "udp", "direct"]);
    expect(FakePeer.all.map(({ made }) => made.iceTransportPolicy)).toEqual([undefined, "relay", "relay", "relay"]);
    expect(FakePeer.all.map(({ made }) => made.iceServers?.length ?? 0)).toEqual([0, 1, 1, 1]);
    expect(FakePeer.all.every(({ closed }) => closed)).toBe(true);
  });

  it("is over, with nothing left open, when the server cannot be asked", async () => {
    await expect(testWays([relay], () => Promise.reject(new Error("offline")), () => undefined)).rejects.toThrow("offline");
    await vi.advanceTimersByTimeAsync(0);
    expect(FakePeer.all.map(({ closed }) => closed)).toEqual([true, true, true, true]);
  });
});
