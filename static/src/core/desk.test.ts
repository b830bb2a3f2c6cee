import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { SessionView, Welcome } from "../protocol.gen";
import type { LiveCall } from "./call";
import { LiveDesk } from "./desk";
import { FakeSocket } from "./fakes";
import { deskPlace } from "./place";

const session = (id: string, status: SessionView["status"] = "open"): SessionView => ({
  id,
  kind: "video",
  status,
  language: "zh",
  customer_name: "",
  customer_reference: "",
  reason: "",
  context: "",
  created_at: `2026-01-01T00:00:0${id.at(-1)}Z`,
  waiting_since: null,
  ended_at: null,
  end_reason: "",
  locked: false,
  waiting_room: false,
});
const entry = { session: "SE_1", customer_name: "Wang", reason: "card", language: "zh", waiting_since: "2026-01-01T00:00:00Z", connected: true } as const;
const welcome: Welcome = { t: "welcome", version: 1, connection: "CN_1", resume_key: "k", resumed: false, ack: 0, heartbeat_s: 4, keep_s: 20, server_time: "", snapshot: null };

const entered: { token: string; expiresAt: string; session: string }[] = [];
const left = vi.fn();
const signedOut: string[] = [];

async function desk(): Promise<LiveDesk> {
  const login = {
    token: "desk-token",
    expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
    staff: { id: "ST_1", username: "agent", name: "Agent", role: "agent", disabled: false } as const,
  };
  const made = new LiveDesk("ws://bank/api/v1/signal", login, (place) => {
    entered.push(place);
    return { leave: left } as unknown as LiveCall;
  });
  FakeSocket.last.onopen?.();
  FakeSocket.last.frame(welcome);
  await vi.advanceTimersByTimeAsync(0);
  return made;
}

beforeEach(() => {
  vi.useFakeTimers();
  entered.length = 0;
  left.mockReset();
  FakeSocket.all = [];
  vi.stubGlobal("WebSocket", FakeSocket);
  signedOut.length = 0;
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    if (init.method === "DELETE") {
      signedOut.push(`${url} ${new Headers(init.headers).get("Authorization")}`);
      return new Response(null, { status: 204 });
    }
    const body = init.method === "PATCH"
      ? { ...session(url.split("/").at(-1) ?? ""), ...JSON.parse(String(init.body)) }
      : url.includes("/login/renew")
      ? { token: "renewed", expires_at: new Date(Date.now() + 3_600_000).toISOString(), staff: {}, grants: [] }
      : url.includes("/waiting")
        ? { entries: [entry] }
        : url.includes("/enter")
          ? { token: "place-token", expires_at: "2999-01-01T00:00:00Z", participant: "PA_1", role: "agent", session: session("SE_9") }
          : init.method === "POST"
            ? session("SE_5")
            : { sessions: [session("SE_1"), session("SE_2")], next: null };
    return new Response(JSON.stringify(body), { status: 200 });
  });
});
afterEach(() => {
  vi.useRealTimers();
  sessionStorage.clear();
});

describe("a desk", () => {
  it("shows who waits and what is open, newest first", async () => {
    const one = await desk();
    expect(one.state.value).toBe("live");
    expect(one.sessions.value.map(({ id }) => id)).toEqual(["SE_2", "SE_1"]);
    FakeSocket.last.say({ type: "waiting.list", entries: [] });
    expect(one.waiting.value).toEqual([]);
    FakeSocket.last.say({ type: "session.changed", session: session("SE_2", "ended") });
    expect(one.sessions.value.map(({ id }) => id)).toEqual(["SE_1"]);
  });

  it("shows who is inside which session", async () => {
    const one = await desk();
    expect(one.inside.value).toEqual([]);
    const inside = { session: "SE_1", customer_name: "Wang", customer_reference: "C-7", reason: "card", language: "zh", created_at: "2026-01-01T00:00:00Z", people: [{ role: "customer", name: "Wang", connected: true }], alone_since: "2026-01-01T00:01:00Z" } as const;
    FakeSocket.last.say({ type: "sessions.inside", entries: [{ ...inside, people: [...inside.people] }] });
    expect(one.inside.value).toEqual([inside]);
    FakeSocket.last.say({ type: "sessions.inside", entries: [] });
    expect(one.inside.value).toEqual([]);
  });

  it("asks for the queue of reviews when it is told that it has changed, and after a time without a line", async () => {
    const asked: string[] = [];
    vi.stubGlobal("fetch", async (url: string) => {
      asked.push(url);
      return new Response(JSON.stringify(url.includes("/reviews") ? { reviews: [], types: [], next: null } : url.includes("/waiting") ? { entries: [] } : { sessions: [], next: null }));
    });
    vi.spyOn(document, "visibilityState", "get").mockReturnValue("visible");
    const one = await desk();
    const stop = one.reviews.watch();
    const times = () => asked.filter((url) => url.includes("/reviews")).length;
    await vi.advanceTimersByTimeAsync(1);
    expect(times()).toBe(1);
    FakeSocket.last.say({ type: "reviews.changed" });
    await vi.advanceTimersByTimeAsync(1);
    expect(times()).toBe(2);
    FakeSocket.last.onclose?.({ code: 1006 } as CloseEvent);
    await vi.advanceTimersByTimeAsync(5_000);
    FakeSocket.last.onopen?.();
    FakeSocket.last.frame(welcome);
    await vi.advanceTimersByTimeAsync(1);
    expect(times()).toBe(3);
    stop();
  });

  it("takes a waiting customer and is in the call", async () => {
    const one = await desk();
    const taking = one.take("SE_1");
    expect(FakeSocket.last.bodies("waiting.take")).toEqual([{ type: "waiting.take", session: "SE_1" }]);
    FakeSocket.last.say({ type: "waiting.taken", session: session("SE_1"), token: "place-token" });
    expect(await taking).toBe(one.call.value);
    expect(entered).toMatchObject([{ token: "place-token", session: "SE_1" }]);
    expect(one.waiting.value).toEqual([]);
  });

  it("hears that somebody else was faster", async () => {
    const one = await desk();
    const taking = one.take("SE_1");
    FakeSocket.last.say({ type: "error", re: FakeSocket.last.heard, code: "conflict", detail: "Taken." });
    await expect(taking).rejects.toMatchObject({ code: "conflict" });
    expect(one.call.value).toBeNull();
  });

  it("does not wait for ever for an answer, nor ask while it is cut off", async () => {
    const one = await desk();
    const taking = one.take("SE_1");
    const refused = expect(taking).rejects.toMatchObject({ code: "offline" });
    await vi.advanceTimersByTimeAsync(10_000);
    await refused;
    FakeSocket.last.cut();
    expect(one.state.value).toBe("reconnecting");
    await expect(one.take("SE_1")).rejects.toMatchObject({ code: "offline" });
  });

  it("is in one conversation at a time", async () => {
    const one = await desk();
    await one.enter("SE_9");
    await one.enter("SE_9");
    expect(left).toHaveBeenCalledTimes(1);
    expect(entered).toHaveLength(2);
  });

  it("shows a session that it made", async () => {
    const one = await desk();
    const made = await one.create({ customerName: "", customerReference: "", reason: "", context: "", language: "zh" });
    expect(made.id).toBe("SE_5");
    expect(one.sessions.value[0]?.id).toBe("SE_5");
  });

  it("changes a session, and shows it changed", async () => {
    const one = await desk();
    const updated = await one.update("SE_1", { context: "found again" });
    expect(updated.context).toBe("found again");
    expect(one.sessions.value.map(({ id, context }) => [id, context])).toEqual([
      ["SE_2", ""],
      ["SE_1", "found again"],
    ]);
  });

  it("renews its token in time, and keeps it for a reload", async () => {
    await desk();
    await vi.advanceTimersByTimeAsync(56 * 60_000);
    expect(deskPlace.recall()?.token).toBe("renewed");
  });

  it("signs out: leaves the call, forgets the token", async () => {
    const one = await desk();
    await one.enter("SE_9");
    one.logout();
    expect(left).toHaveBeenCalledTimes(1);
    expect(one.state.value).toBe("ended");
    expect(deskPlace.recall()).toBeNull();
    expect(signedOut).toEqual(["/api/v1/login Bearer desk-token"]);
  });
});
