import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ScreenLight } from "./light";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** What was shown from when on, in ms since the first, as the messages come. */
function changes(light: ScreenLight): [number, string][] {
  const start = performance.now();
  const seen: [number, string][] = [];
  let last = "";
  light.shown.subscribe((value) => {
    const colour = value?.colour ?? "";
    if (colour !== last) seen.push([performance.now() - start, colour]);
    last = colour;
  });
  return seen;
}

it("shows a colour at once when its second is there", () => {
  const light = new ScreenLight();
  const seen = changes(light);
  light.tell("#ff0000", 0, 0);
  vi.advanceTimersByTime(1_000);
  light.tell("#00ff00", 0, 0);
  expect(seen).toEqual([[0, "#ff0000"], [1_000, "#00ff00"]]);
});

it("keeps the second where messages bunch up, catches up with the newest, and keeps their order", () => {
  const light = new ScreenLight();
  const seen = changes(light);
  light.tell("#ff0000", 0, 0);
  light.tell("#00ff00", 0, 0);
  vi.advanceTimersByTime(300);
  light.tell("#0000ff", 0, 0);
  vi.advanceTimersByTime(699);
  expect(seen).toEqual([[0, "#ff0000"]]);
  vi.advanceTimersByTime(1);
  expect(seen.at(-1)).toEqual([1_000, "#0000ff"]);
  vi.advanceTimersByTime(400);
  light.tell("#ff0000", 0, 0); // told in time after one that was late: it waits for what is left
  vi.advanceTimersByTime(600);
  expect(seen.at(-1)).toEqual([2_000, "#ff0000"]);
  vi.advanceTimersByTime(1_300);
  light.tell("#00ff00", 0, 0);
  expect(seen.at(-1)).toEqual([3_300, "#00ff00"]);
});

it("never changes twice within a second, however the messages come", () => {
  const light = new ScreenLight();
  const seen = changes(light);
  let number = 7;
  for (let step = 0; step < 400; step += 1) {
    number = (number * 1_103_515_245 + 12_345) % 2_147_483_648;
    const colour = ["#ff0000", "#00ff00", "#0000ff", ""][number % 4] ?? "";
    if (number % 17 === 0) light.clear();
    else if (number % 13 === 0) light.end();
    else light.tell(colour, colour === "" ? (number % 700) / 1_000 : 0, 0);
    vi.advanceTimersByTime(number % 911);
  }
  expect(seen.length).toBeGreaterThan(50);
  const gaps = seen.slice(1).map(([at], index) => at - (seen[index]?.[0] ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1_000);
});

it("goes back after the wait it is told, and no sooner than its second", () => {
  const light = new ScreenLight();
  light.tell("#ff0000", 0, 0);
  vi.advanceTimersByTime(900);
  light.tell("", 0.7, 0.3);
  vi.advanceTimersByTime(699);
  expect(light.shown.value?.colour).toBe("#ff0000");
  vi.advanceTimersByTime(1);
  expect(light.shown.value).toEqual({ colour: "", fadeS: 0.3 });
});

it("is the one that is shown again without a wait where nothing changes", () => {
  const light = new ScreenLight();
  light.tell("#ff0000", 0, 0);
  light.tell("#00ff00", 0, 0);
  light.tell("#ff0000", 0, 0);
  vi.advanceTimersByTime(5_000);
  expect(light.shown.value?.colour).toBe("#ff0000");
});

it("goes by itself at the end where nobody says how, but not before what was said", () => {
  const light = new ScreenLight();
  light.tell("#ff0000", 0, 0);
  vi.advanceTimersByTime(1_000);
  light.end();
  expect(light.shown.value?.colour).toBe("");
  light.end();
  vi.advanceTimersByTime(1_000);
  light.tell("#ff0000", 0, 0);
  light.tell("", 2, 0.3);
  light.end();
  vi.advanceTimersByTime(1_999);
  expect(light.shown.value?.colour).toBe("#ff0000");
  vi.advanceTimersByTime(1);
  expect(light.shown.value?.colour).toBe("");
});

it("leaves nothing of itself to the next attempt, in its time", () => {
  const light = new ScreenLight();
  light.clear();
  expect(light.shown.value).toBeNull();
  light.tell("#ff0000", 0, 0);
  light.clear();
  expect(light.shown.value?.colour).toBe("#ff0000");
  vi.advanceTimersByTime(1_000);
  expect(light.shown.value).toBeNull();
});
