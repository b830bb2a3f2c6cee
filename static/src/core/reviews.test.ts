import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ReviewEntry } from "../protocol.gen";
import { ApiError } from "./problems";
import { Album, EVERYTHING, EVERY_MS, LiveReviews, lines, stillWaits } from "./reviews";

const entry = (id: string, change: Partial<ReviewEntry> = {}): ReviewEntry => ({
  id, type: "limit_change", title: { zh: "限额", en: "Limit" }, customer: "c", session: null, created_at: "2026-11-22T10:00:00Z", review_until: "2026-11-22T11:00:00Z", reasons: [], second: false, yours: true, why_not: null, ...change,
});
const page = (reviews: ReviewEntry[], next: string | null = null, types: unknown[] = []) => json({ reviews, next, types });
const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status });

describe("the list of reviews", () => {
  const ids = (all: ReturnType<typeof lines>) => all.map(({ entry: one, gone }) => (gone ? `${one.id}!` : one.id));

  it("is as the queue is, while nobody points at it", () => {
    expect(ids(lines([{ entry: entry("A"), gone: false }], [entry("B"), entry("C")], false))).toEqual(["B", "C"]);
  });

  it("moves nothing while somebody points at it: what is gone stays, what is new comes below, what has changed is new in its place", () => {
    const before = lines([], [entry("A"), entry("B"), entry("C")], false);
    const now = lines(before, [entry("NEW"), entry("A"), entry("C", { second: true })], true);
    expect(ids(now)).toEqual(["A", "B!", "C", "NEW"]);
    expect(now[2]?.entry.second).toBe(true);
    expect(ids(lines(now, [entry("NEW"), entry("A"), entry("C")], false))).toEqual(["NEW", "A", "C"]);
  });

  it("has a case again that came back", () => {
    const gone = lines([{ entry: entry("A"), gone: true }], [entry("A")], true);
    expect(ids(gone)).toEqual(["A"]);
  });
});

describe("the queue at the desk", () => {
  let asked: { path: string; how: RequestInit }[];
  let answers: (() => Response | Promise<Response>)[];
  beforeEach(() => {
    vi.useFakeTimers();
    asked = [];
    answers = [];
    vi.stubGlobal("fetch", async (path: string, how: RequestInit) => {
      asked.push({ path, how });
      return (answers.shift() ?? (() => page([entry("A")])))();
    });
  });
  afterEach(() => vi.useRealTimers());

  it("is asked for with the token of now, one question at a time", async () => {
    let token = "old";
    const reviews = new LiveReviews(() => token);
    token = "new";
    await Promise.all([reviews.refresh(), reviews.refresh()]);
    expect(asked.map(({ path }) => path)).toEqual(["/api/v1/reviews?limit=50"]);
    expect(new Headers(asked[0]?.how.headers).get("Authorization")).toBe("Bearer new");
    expect(reviews.queue.value?.map(({ id }) => id)).toEqual(["A"]);
  });

  it("stays as it was when it cannot be asked for, and says so", async () => {
    const reviews = new LiveReviews(() => "t");
    await reviews.refresh();
    answers.push(() => json({ code: "not_allowed" }, 403));
    await reviews.refresh();
    expect(reviews.queue.value).toHaveLength(1);
    expect(reviews.problem.value).toBe("not_allowed");
    await reviews.refresh();
    expect(reviews.problem.value).toBeNull();
  });

  it("is asked for again and again, not while the page is hidden, and not after the end", async () => {
    const reviews = new LiveReviews(() => "t");
    const seen = vi.spyOn(document, "visibilityState", "get").mockReturnValue("visible");
    const stop = reviews.watch();
    await vi.advanceTimersByTimeAsync(EVERY_MS * 2 + 1);
    expect(asked).toHaveLength(3);
    seen.mockReturnValue("hidden");
    await vi.advanceTimersByTimeAsync(EVERY_MS * 3);
    expect(asked).toHaveLength(3);
    seen.mockReturnValue("visible");
    document.dispatchEvent(new Event("visibilitychange"));
    await vi.advanceTimersByTimeAsync(1);
    expect(asked).toHaveLength(4);
    stop();
    document.dispatchEvent(new Event("visibilitychange"));
    await vi.advanceTimersByTimeAsync(EVERY_MS * 3);
    expect(asked).toHaveLength(4);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is loaded page by page, and what is loaded is asked for again as one", async () => {
    const reviews = new LiveReviews(() => "t");
    const types = [{ type: "limit_change", title: { zh: "限额", en: "Limit" }, count: 3 }];
    answers.push(() => page([entry("A"), entry("B")], "c1", types));
    await reviews.refresh();
    expect([reviews.more.value, reviews.foundMore.value, reviews.types.value]).toEqual([true, true, types]);
    answers.push(() => page([entry("A"), entry("B")], "c1", types), () => page([entry("B"), entry("C")], null, types));
    await reviews.loadMore();
    expect(asked.map(({ path }) => path)).toEqual(["/api/v1/reviews?limit=50", "/api/v1/reviews?limit=50", "/api/v1/reviews?limit=50&cursor=c1"]);
    expect(reviews.queue.value?.map(({ id }) => id)).toEqual(["A", "B", "C"]); // what moved in between is there once
    expect(reviews.found.value).toEqual(reviews.queue.value);
    expect(reviews.more.value).toBe(false);
  });

  it("is narrowed by the server, beside the whole queue", async () => {
    const reviews = new LiveReviews(() => "t");
    await reviews.refresh();
    answers.push(() => page([entry("A"), entry("B")]), () => page([entry("B")], "c1"));
    const narrowed = reviews.narrow({ type: "limit_change", yours: false, soon: true });
    expect(reviews.found.value).toBeNull(); // nothing of before stands under the new filter
    await narrowed;
    expect(asked.slice(1).map(({ path }) => path)).toEqual(["/api/v1/reviews?limit=50", "/api/v1/reviews?limit=50&type=limit_change&yours=false&due_in_s=600"]);
    expect(reviews.queue.value?.map(({ id }) => id)).toEqual(["A", "B"]);
    expect(reviews.found.value?.map(({ id }) => id)).toEqual(["B"]);
    expect([reviews.more.value, reviews.foundMore.value]).toEqual([false, true]);
    answers.push(() => page([entry("A")]));
    await reviews.narrow(EVERYTHING);
    expect(reviews.found.value?.map(({ id }) => id)).toEqual(["A"]);
  });

  it("shows under a filter no answer to another one", async () => {
    const reviews = new LiveReviews(() => "t");
    await reviews.refresh();
    let late: (response: Response) => void = () => undefined;
    answers.push(() => page([entry("A")]), () => new Promise((resolve) => (late = resolve)));
    const first = reviews.narrow({ ...EVERYTHING, yours: true });
    await vi.advanceTimersByTimeAsync(0);
    answers.push(() => page([entry("A")]), () => page([entry("O")]));
    const second = reviews.narrow({ ...EVERYTHING, yours: false });
    late(page([entry("MINE")]));
    await Promise.all([first, second]);
    expect(reviews.found.value?.map(({ id }) => id)).toEqual(["O"]);
  });

  it("is asked for at once when the server tells of a change, also one that came while an answer was on its way; not while nobody looks", async () => {
    const reviews = new LiveReviews(() => "t");
    await reviews.changed();
    expect(asked).toHaveLength(0); // nobody watches
    const seen = vi.spyOn(document, "visibilityState", "get").mockReturnValue("visible");
    const stop = reviews.watch();
    await vi.advanceTimersByTimeAsync(1);
    expect(asked).toHaveLength(1);
    let late: (response: Response) => void = () => undefined;
    answers.push(() => new Promise((resolve) => (late = resolve)), () => page([entry("A"), entry("NEW")]));
    void reviews.changed();
    await vi.advanceTimersByTimeAsync(1);
    void reviews.changed();
    late(page([entry("A")]));
    await vi.advanceTimersByTimeAsync(1);
    expect(asked).toHaveLength(3);
    expect(reviews.queue.value?.map(({ id }) => id)).toEqual(["A", "NEW"]);
    seen.mockReturnValue("hidden");
    await reviews.changed();
    await vi.advanceTimersByTimeAsync(1);
    expect(asked).toHaveLength(3);
    stop();
    seen.mockReturnValue("visible");
    await reviews.changed();
    await vi.advanceTimersByTimeAsync(EVERY_MS * 2);
    expect(asked).toHaveLength(3);
  });

  it("knows whether a case waits that is on no page yet", async () => {
    const reviews = new LiveReviews(() => "t");
    const due = (id: string, minute: number) => entry(id, { review_until: `2026-11-22T11:${String(minute).padStart(2, "0")}:00Z` });
    expect(stillWaits(reviews, due("X", 1))).toBe(true);
    answers.push(() => page([due("A", 5), due("B", 10)], "c1"));
    await reviews.refresh();
    expect([due("A", 5), due("X", 7), due("Y", 10), due("Z", 30)].map((one) => stillWaits(reviews, one))).toEqual([true, false, true, true]);
    answers.push(() => page([due("A", 5), due("B", 10)]));
    await reviews.refresh();
    expect(stillWaits(reviews, due("Z", 30))).toBe(false);
  });

  it("is asked for after a decision, also after one that was refused or lost", async () => {
    const reviews = new LiveReviews(() => "t");
    answers.push(() => json({ state: "accepted" }), () => page([]));
    await expect(reviews.decide("VE_A", "approve", "why")).resolves.toMatchObject({ state: "accepted" });
    expect(asked.map(({ path }) => path)).toEqual(["/api/v1/verifications/VE_A/review", "/api/v1/reviews?limit=50"]);
    expect(asked[0]?.how).toMatchObject({ method: "POST", body: JSON.stringify({ decision: "approve", reason: "why" }) });
    expect(reviews.queue.value).toEqual([]);
    answers.push(() => json({ code: "not_in_review" }, 409), () => page([entry("B")]));
    await expect(reviews.decide("VE_A", "approve", "why")).rejects.toMatchObject({ code: "not_in_review" });
    expect(reviews.queue.value?.map(({ id }) => id)).toEqual(["B"]);
    answers.push(() => Promise.reject(new TypeError("no network")), () => page([entry("A")]));
    await expect(reviews.decide("VE_A", "decline", "why")).rejects.toMatchObject({ code: "offline" });
    expect(asked.filter(({ how }) => how.method === "POST")).toHaveLength(3); // a decision is never sent twice
  });

  it("trusts no answer of before the decision", async () => {
    const reviews = new LiveReviews(() => "t");
    let late: (response: Response) => void = () => undefined;
    answers.push(() => new Promise((resolve) => (late = resolve)), () => json({ state: "accepted" }), () => page([]));
    const before = reviews.refresh();
    const decided = reviews.decide("VE_A", "approve", "why");
    await vi.advanceTimersByTimeAsync(0);
    late(page([entry("VE_A")]));
    await Promise.all([before, decided]);
    expect(reviews.queue.value).toEqual([]);
  });

  it("fetches pictures with the token in a header, never in the address", async () => {
    const reviews = new LiveReviews(() => "secret");
    answers.push(() => new Response("jpeg"), () => new Response("jpeg"));
    const stop = new AbortController();
    await reviews.picture("VE_A", "VA/1", "00 first", stop.signal);
    await reviews.reference("VE_A", stop.signal);
    expect(asked.map(({ path }) => path)).toEqual(["/api/v1/reviews/VE_A/attempts/VA%2F1/pictures/00%20first", "/api/v1/reviews/VE_A/reference"]);
    for (const { path, how } of asked) {
      expect(path).not.toContain("secret");
      expect(how.cache).toBe("no-store");
      expect(new Headers(how.headers).get("Authorization")).toBe("Bearer secret");
    }
    stop.abort();
    await expect(reviews.reference("VE_A", stop.signal)).rejects.toThrow();
    expect(asked).toHaveLength(2);
  });
});

describe("an album", () => {
  let urls: Set<string>;
  const waits = new Map<string, { resolve(blob: Blob): void; reject(error: unknown): void }>();
  const load = (name: string) => new Promise<Blob>((resolve, reject) => waits.set(name, { resolve, reject }));
  const settle = () => new Promise((resolve) => setTimeout(resolve, 0));
  beforeEach(() => {
    urls = new Set();
    waits.clear();
    let number = 0;
    vi.spyOn(URL, "createObjectURL").mockImplementation(() => {
      const url = `blob:${(number += 1)}`;
      urls.add(url);
      return url;
    });
    vi.spyOn(URL, "revokeObjectURL").mockImplementation((url) => void urls.delete(String(url)));
  });

  it("fetches a few at a time, shows each, and leaves nothing when it is closed", async () => {
    const album = new Album(["a", "b", "c"], load, 2);
    expect([...waits.keys()]).toEqual(["a", "b"]);
    waits.get("a")?.resolve(new Blob());
    await settle();
    expect([...waits.keys()]).toEqual(["a", "b", "c"]);
    waits.get("b")?.reject(new ApiError("gone", ""));
    waits.get("c")?.resolve(new Blob());
    await settle();
    expect(Object.fromEntries(album.shown.value)).toEqual({ a: { url: "blob:1" }, b: { problem: "gone" }, c: { url: "blob:2" } });
    album.close();
    expect(urls.size).toBe(0);
    expect(album.shown.value.size).toBe(0);
  });

  it("makes nothing of what comes after it was closed, and fetches no more", async () => {
    const album = new Album(["a", "b"], load, 1);
    album.close();
    waits.get("a")?.resolve(new Blob());
    await settle();
    expect([...waits.keys()]).toEqual(["a"]);
    expect(urls.size).toBe(0);
    expect(album.shown.value.size).toBe(0);
  });

  it("asks once more for what did not come", async () => {
    const album = new Album(["a"], load);
    waits.get("a")?.reject(new Error("a bug"));
    await settle();
    expect(album.shown.value.get("a")).toEqual({ problem: "unknown" });
    album.again("a");
    expect(album.shown.value.has("a")).toBe(false);
    waits.get("a")?.resolve(new Blob());
    await settle();
    expect(album.shown.value.get("a")).toEqual({ url: "blob:1" });
    album.close();
  });
});
