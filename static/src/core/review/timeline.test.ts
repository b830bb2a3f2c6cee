import { describe, expect, it } from "vitest";
import { focus, laneHas, lanes, largest, nearest, neighbour, speakingAt } from "./timeline";
import type { Mark, Party, Track } from "./timeline";

const track = (id: string, source: Track["source"], ...spans: [number, number][]): Track => ({
  id,
  participant: id.split(".")[0] ?? "",
  source,
  mime: "video/webm",
  spans: spans.map(([fromMs, toMs]) => ({ fromMs, toMs })),
});
const party = (id: string, role: Party["role"]): Party => ({ id, name: id, role, there: [] });
const point = (atMs: number, item: string): Mark => ({ kind: "checkpoint", atMs, by: "A", item, label: { zh: item, en: item }, done: true, note: "" });
const chat = (atMs: number): Mark => ({ kind: "chat", atMs, by: "A", text: "hello" });

describe("lanes", () => {
  it("puts what a person's connections left of one source behind each other", () => {
    const found = lanes([track("C.camera.1", "camera", [9_000, 12_000]), track("C.microphone.0", "microphone", [0, 5_000]), track("C.camera.0", "camera", [0, 4_000])]);
    expect(found.map(({ key, kind, tracks }) => [key, kind, tracks.map(({ id }) => id)])).toEqual([
      ["C.camera", "video", ["C.camera.0", "C.camera.1"]],
      ["C.microphone", "audio", ["C.microphone.0"]],
    ]);
    const camera = found[0];
    expect(camera && [laneHas(camera, 3_000), laneHas(camera, 5_000), laneHas(camera, 9_500)]).toEqual([true, false, true]);
  });
});

describe("who is large", () => {
  const speaking = [
    { atMs: 1_000, who: ["A"] },
    { atMs: 5_000, who: ["C"] },
    { atMs: 5_300, who: ["A"] }, // too brief to move anything
    { atMs: 9_000, who: ["C", "A"] },
    { atMs: 12_000, who: ["C"] },
    { atMs: 15_000, who: [] },
  ];

  it("follows who went on speaking, and stays in silence", () => {
    expect(focus(speaking, 20_000)).toEqual([
      { who: "A", fromMs: 1_000, toMs: 12_000 },
      { who: "C", fromMs: 12_000, toMs: 20_000 },
    ]);
    expect(focus([], 20_000)).toEqual([]);
    expect(focus([{ atMs: 100, who: ["A"] }], 500)).toEqual([]); // not for long enough
  });

  it("says who speaks at a moment", () => {
    expect([500, 1_000, 10_000, 16_000].map((ms) => speakingAt(speaking, ms))).toEqual([[], ["A"], ["C", "A"], []]);
  });

  it("shows a screen before anybody, then the speaker, then the customer", () => {
    const all = lanes([track("C.camera.0", "camera", [0, 20_000]), track("A.camera.0", "camera", [0, 20_000]), track("A.screen.0", "screen", [13_000, 14_000])]);
    const parties = [party("A", "agent"), party("C", "customer")];
    const focused = focus(speaking, 20_000);
    expect([500, 2_000, 12_500, 13_500, 19_000].map((ms) => largest(all, parties, focused, ms)?.key)).toEqual(["C.camera", "A.camera", "C.camera", "A.screen", "C.camera"]);
    expect(largest([], parties, focused, 0)).toBeUndefined();
    expect(largest(all.slice(1, 2), [], [], 0)?.key).toBe("A.camera");
  });
});

describe("marks", () => {
  const marks = [point(1_000, "identity"), chat(2_000), point(10_000, "risk"), { kind: "note", atMs: 20_000, by: "A", text: "x" } as const];

  it("finds the next and the last point; just after one, the one before is meant", () => {
    expect(neighbour(marks, 0, 1)?.atMs).toBe(1_000);
    expect(neighbour(marks, 1_000, 1)?.atMs).toBe(10_000);
    expect(neighbour(marks, 20_000, 1)).toBeUndefined();
    expect(neighbour(marks, 10_900, -1)?.atMs).toBe(1_000);
    expect(neighbour(marks, 12_000, -1)?.atMs).toBe(10_000);
    expect(neighbour(marks, 900, -1)).toBeUndefined();
  });

  it("means the point where a point and a line of the chat are near each other", () => {
    expect(nearest(marks, 1_700, 1_000)?.kind).toBe("checkpoint");
    expect(nearest(marks, 2_100, 500)?.kind).toBe("chat");
    expect(nearest(marks, 15_000, 1_000)).toBeUndefined();
  });
});
