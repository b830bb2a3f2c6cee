import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Drawn, pictureHeight } from "./drawn";

let said: Record<string, number>[];
let drawn: Drawn;

beforeEach(() => {
  vi.useFakeTimers();
  said = [];
  drawn = new Drawn(() => said.push(Object.fromEntries(drawn.sizes().map(({ mid, height }) => [mid, height]))));
});
afterEach(() => vi.useRealTimers());

describe("how tall a picture is drawn", () => {
  it("is told once it has settled, all slots together", () => {
    drawn.set("9", 100);
    drawn.set("9", 300);
    vi.advanceTimersByTime(200);
    drawn.set("10", 720.4);
    vi.advanceTimersByTime(99);
    expect(said).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(said).toEqual([{ 9: 300, 10: 720 }]);
  });

  it("is told again when it matters only", () => {
    drawn.set("9", 300);
    vi.advanceTimersByTime(300);
    for (const height of [310, 340, 260]) drawn.set("9", height);
    vi.advanceTimersByTime(1_000);
    expect(said).toHaveLength(1);
    drawn.set("9", 400);
    drawn.set("9", 310); // and back before it settled
    vi.advanceTimersByTime(1_000);
    expect(said).toHaveLength(1);
    drawn.set("9", 400);
    vi.advanceTimersByTime(300);
    expect(said.at(-1)).toEqual({ 9: 400 });
  });

  it("is told at once when it comes into sight, later when it goes", () => {
    drawn.set("9", 300);
    vi.advanceTimersByTime(300);
    drawn.set("9", 0);
    vi.advanceTimersByTime(299);
    expect(said).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(said.at(-1)).toEqual({ 9: 0 });
    drawn.set("9", 20);
    vi.advanceTimersByTime(0);
    expect(said.at(-1)).toEqual({ 9: 20 });
  });

  it("is forgotten when somebody else is there, and a hidden one's successor is not hidden", () => {
    drawn.set("9", 0);
    drawn.set("10", 300);
    vi.advanceTimersByTime(300);
    drawn.keep(new Set(["9", "10"]), new Set(["10"]));
    expect(said).toHaveLength(1);
    expect(drawn.sizes()).toEqual([{ mid: "9", height: 0 }]);
    drawn.keep(new Set(["9"]), new Set(["9"]));
    expect(said.at(-1)).toEqual({});
  });

  it("stays within what the protocol takes, and is silent at the end", () => {
    drawn.set("9", 1e9);
    drawn.set("10", -5);
    vi.advanceTimersByTime(300);
    expect(said).toEqual([{ 9: 8640, 10: 0 }]);
    drawn.set("9", 100);
    drawn.stop();
    vi.advanceTimersByTime(1_000);
    expect(said).toHaveLength(1);
  });
});

describe("the picture in its box", () => {
  const wide = { width: 1280, height: 720 };
  it.each([
    [{ width: 640, height: 360 }, wide, "cover", 1, 360],
    [{ width: 640, height: 360 }, wide, "cover", 2, 720],
    [{ width: 640, height: 640 }, wide, "cover", 1, 640],
    [{ width: 640, height: 640 }, wide, "contain", 1, 360],
    [{ width: 640, height: 180 }, wide, "cover", 1, 360],
    [{ width: 640, height: 180 }, wide, "contain", 1, 180],
    [{ width: 640, height: 360 }, { width: 0, height: 0 }, "cover", 1.5, 540],
    [{ width: 0, height: 360 }, wide, "cover", 1, 0],
  ] as const)("%j with %j, %s at ratio %d is %d tall", (box, picture, fit, ratio, height) => {
    expect(pictureHeight(box, picture, fit, ratio)).toBe(height);
  });
});
