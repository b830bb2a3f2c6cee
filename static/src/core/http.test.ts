import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { randomKey, request } from "./http";

type Reply = () => Response | Promise<Response>;

function answers(...replies: Reply[]): { asked: { url: string; headers: Headers; body: unknown }[] } {
  const asked: { url: string; headers: Headers; body: unknown }[] = [];
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    asked.push({ url, headers: new Headers(init.headers), body: init.body ?? null });
    const reply = replies[asked.length - 1];
    if (reply === undefined) throw new Error("asked too often");
    return reply();
  });
  return { asked };
}

const json = (status: number, body: unknown, headers: Record<string, string> = {}): Reply => () =>
  new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json", ...headers } });
const offline: Reply = () => Promise.reject(new TypeError("failed to fetch"));

describe("request", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  async function settled<T>(promise: Promise<T>): Promise<{ value: T } | { error: unknown }> {
    const outcome = promise.then((value) => ({ value }), (error: unknown) => ({ error }));
    await vi.runAllTimersAsync();
    return outcome;
  }

  it("asks with a token and answers the body", async () => {
    const { asked } = answers(json(200, { id: "SE_1" }));
    expect(await settled(request("/sessions/SE_1", { token: "abc" }))).toEqual({ value: { id: "SE_1" } });
    expect(asked[0]?.url).toBe("/api/v1/sessions/SE_1");
    expect(asked[0]?.headers.get("Authorization")).toBe("Bearer abc");
    expect(asked[0]?.headers.get("Idempotency-Key")).toBeNull();
  });

  it("repeats a creating request under the same key when the answer may be lost", async () => {
    const { asked } = answers(offline, json(503, {}), json(201, { id: "SE_1" }));
    expect(await settled(request("/sessions", { method: "POST", body: { kind: "video" }, creates: true }))).toEqual({ value: { id: "SE_1" } });
    const keys = asked.map(({ headers }) => headers.get("Idempotency-Key"));
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
  });

  it("does not repeat what may not be done twice", async () => {
    const { asked } = answers(offline);
    expect(await settled(request("/login", { method: "POST", body: {} }))).toMatchObject({ error: { code: "offline" } });
    expect(asked).toHaveLength(1);
  });

  it("gives up after three tries", async () => {
    const { asked } = answers(offline, offline, offline);
    expect(await settled(request("/site"))).toMatchObject({ error: { code: "offline", retryAfterS: null } });
    expect(asked).toHaveLength(3);
  });

  it("says what the server's problem is, and does not repeat a refusal", async () => {
    const { asked } = answers(json(429, { code: "too_many", detail: "Slowly." }, { "Retry-After": "7" }));
    expect(await settled(request("/site"))).toMatchObject({ error: { code: "too_many", detail: "Slowly.", retryAfterS: 7 } });
    expect(asked).toHaveLength(1);
  });

  it("takes an empty answer, and refuses a garbled one", async () => {
    answers(() => new Response(null, { status: 204 }), () => new Response("<html>", { status: 200 }));
    expect(await settled(request("/x", { method: "DELETE" }))).toEqual({ value: undefined });
    expect(await settled(request("/x"))).toMatchObject({ error: { code: "failed" } });
  });
});

describe("keys", () => {
  it("are 128 random bits", () => {
    const keys = new Set(Array.from({ length: 100 }, randomKey));
    expect(keys.size).toBe(100);
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{32}$/);
  });
});
