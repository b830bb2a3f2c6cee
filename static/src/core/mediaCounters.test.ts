import { describe, expect, it } from "vitest";
import type { MediaLayer, MediaParticipant, MediaSlot } from "../protocol.gen";
import { EVERY_MS, WINDOW_MS, ceiling, pathOf, pictures, pointOf, range, record, rows, stretches, type History, type Point } from "./mediaCounters";

const layer = (change: Partial<MediaLayer> = {}): MediaLayer => ({
  rid: "f", packets: 100, bytes: 100_000, lost: 0, late: 0, recovered: 0, nacked: 0, key_frames: 1, loss_permille: 0, bitrate_kbps: 900, temporal_kbps: [900], height: 720, jitter_ms: 3, ...change,
});
const slot = (change: Partial<MediaSlot> = {}): MediaSlot => ({
  mid: "4", participant: "PA_b", source: "camera", packets: 1, bytes: 1, resent: 0, nacked: 0, left_out: 0, loss_permille: 0, rtt_ms: 40, jitter_ms: 2, rid: "f", height: 720, temporal: null, held: false, ...change,
});
const someone = (change: Partial<MediaParticipant> = {}): MediaParticipant => ({
  participant: "PA_a",
  state: "connected",
  sources: [{ source: "camera", open: true, flowing: true, forwarded: 1, plis: 0, layers: [layer()] }],
  slots: [slot()],
  steps_ms: {},
  network: { estimate_kbps: 2000, sent_kbps: 900, wanted_kbps: 900, rtt_ms: 40, loss_permille: 12, limit: "none", probe_bytes: 0, held: 0, key_requests: 0 },
  ...change,
});
const sending = (...layers: MediaLayer[]): MediaParticipant => someone({ sources: [{ source: "camera", open: true, flowing: true, forwarded: 1, plis: 0, layers }] });
const point = (atMs: number, change: Partial<Point> = {}): Point => ({ atMs, estimate: null, sent: null, up: null, rtt: null, lossDown: null, lossUp: null, lines: null, ...change });

describe("one moment of a participant", () => {
  it("says both ways", () => {
    const before = sending(layer({ packets: 100, lost: 1 }), layer({ rid: "q", packets: 50 }));
    const now = sending(layer({ packets: 190, lost: 9 }), layer({ rid: "q", packets: 52, bitrate_kbps: 100 }));
    expect(pointOf(now, before, 5)).toEqual(point(5, { estimate: 2000, sent: 900, up: 1000, rtt: 40, lossDown: 1.2, lossUp: 8, lines: 720 }));
  });

  it("does not make up what is not known", () => {
    expect(pointOf(someone({ network: null, sources: [], slots: [] }), null, 5)).toEqual(point(5));
    expect(pointOf(someone({ state: "disconnected" }), null, 5)).toMatchObject({ estimate: null, sent: null, up: null, lossDown: null });
    expect(pointOf(sending(layer({ packets: 3 })), sending(layer({ packets: 100 })), 5).lossUp).toBeNull(); // a new connection
    expect(pointOf(sending(layer({ packets: 120, lost: 1 })), sending(layer({ packets: 100, lost: 3 })), 5).lossUp).toBe(0); // late ones came
  });

  it("names the tallest picture, and none where it is held back", () => {
    expect(pointOf(someone({ slots: [slot({ height: 180 }), slot({ mid: "5", height: 360 })] }), null, 5).lines).toBe(360);
    expect(pointOf(someone({ slots: [slot({ held: true, rid: null, height: 0 })] }), null, 5).lines).toBe(0);
    expect(pointOf(someone({ slots: [slot({ rid: null, height: 0 })] }), null, 5).lines).toBeNull();
    expect(pictures(someone({ slots: [slot({ source: "microphone" }), slot({ source: null }), slot({ source: "screen" })] }))).toHaveLength(1);
  });
});

describe("two minutes", () => {
  it("hold what came, for as long as it is in the window", () => {
    let history: History = [];
    for (let atMs = 0; atMs <= 2 * WINDOW_MS; atMs += EVERY_MS) history = record(history, { participants: [someone()] }, atMs);
    const points = history[0]?.points ?? [];
    expect(points.at(-1)?.atMs).toBe(2 * WINDOW_MS);
    expect(points[0]?.atMs).toBeGreaterThanOrEqual(WINDOW_MS - EVERY_MS);
    expect(points.length).toBeLessThanOrEqual(WINDOW_MS / EVERY_MS + 5);
  });

  it("are bounded whatever the pace of the polls", () => {
    let history: History = [];
    for (let atMs = 0; atMs < 1_000; atMs += 1) history = record(history, { participants: [someone()] }, atMs);
    expect(history[0]?.points.length).toBeLessThanOrEqual(WINDOW_MS / EVERY_MS + 5);
  });

  it("keep whoever has gone until nothing of theirs is left", () => {
    let history = record([], { participants: [someone(), someone({ participant: "PA_b" })] }, 0);
    history = record(history, { participants: [someone()] }, 2_000);
    expect(history.map(({ participant, now }) => [participant, now !== null])).toEqual([["PA_a", true], ["PA_b", false]]);
    history = record(history, { participants: [] }, WINDOW_MS + 4_001);
    expect(history).toEqual([]);
  });

  it("compare with the poll before", () => {
    const first = record([], { participants: [sending(layer({ packets: 100 }))] }, 0);
    const second = record(first, { participants: [sending(layer({ packets: 190, lost: 10 }))] }, 2_000);
    expect(second[0]?.points.map(({ lossUp }) => lossUp)).toEqual([null, 10]);
  });
});

describe("a line", () => {
  const frame = { width: 240, height: 40, endMs: 120_000, top: 100 };

  it("is cut where nothing is known", () => {
    const points = [point(0, { rtt: 10 }), point(2_000, { rtt: 20 }), point(4_000), point(6_000, { rtt: 30 }), point(60_000, { rtt: 40 })];
    expect(stretches(points, "rtt").map((one) => one.map(({ value }) => value))).toEqual([[10, 20], [30], [40]]);
    expect(stretches(points, "sent")).toEqual([]);
  });

  it("runs from the left to the right edge, never past the top", () => {
    const points = [point(0, { rtt: 0 }), point(2_000, { rtt: 50 }), point(4_000, { rtt: 500 })];
    expect(pathOf(points, "rtt", frame)).toBe("M0 40L4 20L8 0");
    expect(pathOf([point(120_000, { rtt: 100 })], "rtt", frame)).toBe("M240 0h1");
    expect(pathOf([point(-1, { rtt: 100 })], "rtt", frame)).toBe("");
    expect(pathOf(points, "up", frame)).toBe("");
  });

  it("holds its value until the next where it goes by steps", () => {
    expect(pathOf([point(0, { lines: 100 }), point(2_000, { lines: 50 })], "lines", frame, true)).toBe("M0 0H4V20");
  });

  it("has a round number at its top", () => {
    expect(ceiling([], ["rtt"], 100)).toBe(100);
    expect(ceiling([point(0, { sent: 130, estimate: 480 })], ["sent", "estimate"], 100)).toBe(500);
    expect(ceiling([point(0, { sent: 501 })], ["sent"], 100)).toBe(1000);
    expect(ceiling([point(0, { lossDown: 0.3 })], ["lossDown"], 2)).toBe(2);
  });

  it("is said by its range, and as rows", () => {
    const points = Array.from({ length: 61 }, (_, index) => point(index * EVERY_MS, { rtt: index === 3 ? null : index }));
    expect(range(points, "rtt")).toEqual({ least: 0, most: 60 });
    expect(range(points, "up")).toBeNull();
    expect(rows(points).map(({ atMs }) => atMs / 1_000)).toEqual([120, 110, 100, 90, 80, 70, 60, 50, 40, 30, 20, 10, 0]);
    expect(rows([])).toEqual([]);
  });
});
