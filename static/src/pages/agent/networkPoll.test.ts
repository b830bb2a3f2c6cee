import { signal } from "@preact/signals";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EVERY_MS } from "../../core/mediaCounters";
import { ApiError } from "../../core/problems";
import type { MediaCounters } from "../../protocol.gen";
import { watch, type Poll } from "./networkPoll";

const NOBODY: MediaCounters = { participants: [] };
let answers: (() => Promise<MediaCounters>)[];
let asked: number;
let visible: DocumentVisibilityState;

const read = (): Promise<MediaCounters> => {
  asked += 1;
  return (answers.shift() ?? (() => Promise.resolve(NOBODY)))();
};
const start = () => {
  const poll = signal<Poll>({ history: [], atMs: null, problem: null });
  return { poll, ...watch(poll, read) };
};
const look = (state: DocumentVisibilityState): void => {
  visible = state;
  document.dispatchEvent(new Event("visibilitychange"));
};

beforeEach(() => {
  vi.useFakeTimers();
  answers = [];
  asked = 0;
  visible = "visible";
  vi.spyOn(document, "visibilityState", "get").mockImplementation(() => visible);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("a watch", () => {
  it("asks at once and then every two seconds until it is stopped", async () => {
    const { poll, stop } = start();
    expect(asked).toBe(1);
    await vi.advanceTimersByTimeAsync(2 * EVERY_MS);
    expect(asked).toBe(3);
    expect(poll.value.atMs).toBe(Date.now());
    stop();
    look("visible");
    await vi.advanceTimersByTimeAsync(5 * EVERY_MS);
    expect(asked).toBe(3);
  });

  it("waits for a slow answer, and takes none after the end", async () => {
    let answer: (counters: MediaCounters) => void = () => undefined;
    answers = [() => new Promise((resolve) => (answer = resolve))];
    const { poll, again, stop } = start();
    await vi.advanceTimersByTimeAsync(5 * EVERY_MS);
    again();
    expect(asked).toBe(1);
    stop();
    answer(NOBODY);
    await vi.advanceTimersByTimeAsync(EVERY_MS);
    expect([asked, poll.value.atMs]).toEqual([1, null]);
  });

  it("rests while the page is hidden and asks at once when it is seen again", async () => {
    const { stop } = start();
    await vi.advanceTimersByTimeAsync(0);
    look("hidden");
    await vi.advanceTimersByTimeAsync(10 * EVERY_MS);
    expect(asked).toBe(1);
    look("visible");
    expect(asked).toBe(2);
    await vi.advanceTimersByTimeAsync(EVERY_MS);
    expect(asked).toBe(3);
    stop();
  });

  it("keeps what it had when a question fails, and goes on", async () => {
    answers = [() => Promise.resolve(NOBODY), () => Promise.reject(new ApiError("offline", ""))];
    const { poll, stop } = start();
    await vi.advanceTimersByTimeAsync(0);
    const before = poll.value;
    await vi.advanceTimersByTimeAsync(EVERY_MS);
    expect(poll.value).toMatchObject({ history: before.history, atMs: before.atMs, problem: { code: "offline" } });
    await vi.advanceTimersByTimeAsync(EVERY_MS);
    expect(poll.value.problem).toBeNull();
    stop();
  });

  it("does not ask on by itself for what it may not see", async () => {
    answers = [() => Promise.reject(new ApiError("not_allowed", ""))];
    const { poll, again, stop } = start();
    await vi.advanceTimersByTimeAsync(5 * EVERY_MS);
    expect([asked, poll.value.problem?.code]).toEqual([1, "not_allowed"]);
    again();
    await vi.advanceTimersByTimeAsync(0);
    expect([asked, poll.value.problem]).toEqual([2, null]);
    stop();
  });
});
