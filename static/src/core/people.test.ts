import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ClientBody, Handover, ParticipantView, SessionView, Snapshot } from "../protocol.gen";
import { ServerClock } from "./clock";
import { LivePeople, OVER_MS } from "./people";

const person = (id: string, part: Partial<ParticipantView> = {}): ParticipantView => ({ id, role: "agent", name: `name of ${id}`, state: "active", tracks: [], on_hold: false, muted: false, listens: false, waits: false, ...part });
const session = (status: SessionView["status"]): SessionView => ({ status }) as SessionView;
const handover = (state: Handover["state"], part: Partial<Handover> = {}): Handover => ({ type: "handover", state, warm: false, from: "PA_a", to: "PA_b", to_name: "Bo", ...part });

let sent: ClientBody[];
let grants: string[];
let admitted: Snapshot[];
let me: ParticipantView | null;

function begin(): LivePeople {
  return new LivePeople({
    send: (body) => void sent.push(body),
    me: () => me,
    name: (id) => (id === "PA_gone" ? "" : `name of ${id}`),
    admitted: (snapshot) => void admitted.push(snapshot),
    grants: (now) => void (grants = now),
  });
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.setSystemTime("2026-01-01T00:00:00Z");
  sent = [];
  grants = [];
  admitted = [];
  me = person("PA_me", { role: "customer" });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the waiting room", () => {
  it("keeps those outside apart from those inside", () => {
    const people = begin();
    expect(people.drawn([person("PA_1"), person("PA_2", { waits: true })]).map(({ id }) => id)).toEqual(["PA_1"]);
    expect(people.waiting.value.map(({ id }) => id)).toEqual(["PA_2"]);
    expect(people.outside(person("PA_3", { waits: true }))).toBe(true);
    expect(people.outside(person("PA_2", { waits: true, state: "disconnected" }))).toBe(true);
    expect(people.waiting.value.map(({ id, state }) => `${id} ${state}`)).toEqual(["PA_2 disconnected", "PA_3 active"]);
    expect(people.outside(person("PA_2"))).toBe(false); // let in
    expect(people.waiting.value.map(({ id }) => id)).toEqual(["PA_3"]);
    const same = people.waiting.value;
    expect(people.outside(person("PA_1"))).toBe(false);
    expect(people.waiting.value).toBe(same);
    people.gone("PA_3", "left");
    expect(people.waiting.value).toEqual([]);
  });

  it("asks for what the page's buttons say", () => {
    const people = begin();
    people.lock(true);
    people.waitingRoom(false);
    people.admit("PA_2", true);
    people.setRole("PA_2", "supervisor");
    people.handOver(null, true, "note");
    people.cancelHandover();
    people.completeHandover();
    expect(sent).toEqual([
      { type: "session.lock", locked: true },
      { type: "session.waiting_room", on: false },
      { type: "participant.admit", participant: "PA_2", admitted: true },
      { type: "participant.role", participant: "PA_2", role: "supervisor" },
      { type: "handover.offer", to: null, warm: true, note: "note" },
      { type: "handover.cancel" },
      { type: "handover.complete" },
    ]);
  });

  it("hands on who was let in, and what one may do", () => {
    const people = begin();
    const snapshot = { chat: [] } as unknown as Snapshot;
    expect(people.handle({ type: "admitted", snapshot })).toBe(true);
    expect(people.handle({ type: "grants", grants: ["chat"] })).toBe(true);
    expect(people.handle({ type: "media.lost" })).toBe(false);
    expect([admitted, grants]).toEqual([[snapshot], ["chat"]]);
  });
});

describe("a hand-over", () => {
  it("keeps the names of those who leave, and goes a while after it is done", () => {
    const people = begin();
    people.handle(handover("accepted"));
    expect(people.handover.value).toEqual({ state: "accepted", warm: false, from: "PA_a", fromName: "name of PA_a", to: "PA_b", toName: "Bo" });
    people.handle(handover("done", { from: "PA_gone", to_name: "" }));
    expect(people.handover.value).toMatchObject({ state: "done", fromName: "name of PA_a", toName: "name of PA_b" });
    vi.advanceTimersByTime(OVER_MS - 1);
    expect(people.handover.value).not.toBeNull();
    vi.advanceTimersByTime(1);
    expect(people.handover.value).toBeNull();
  });

  it("names whom this page asked, until the server does", () => {
    const people = begin();
    me = person("PA_a");
    people.handOver("ST_2", false, "", "Cem");
    people.handle(handover("offered", { to: null, to_name: "" }));
    expect(people.handover.value).toMatchObject({ toName: "Cem" });
    people.handle(handover("offered", { from: "PA_x", to: null, to_name: "" }));
    expect(people.handover.value).toMatchObject({ toName: "" }); // somebody else's
    people.handOver(null, false, "");
    people.handle(handover("offered", { to: null, to_name: "" }));
    expect(people.handover.value).toMatchObject({ toName: "" });
  });

  it.each(["declined", "expired", "cancelled"] as const)("that was %s stays for the one who offered it until it is put away, and is nobody else's news", (state) => {
    const people = begin();
    people.handle(handover("offered", { to: null, to_name: "" }));
    people.handle(handover(state));
    expect(people.handover.value).toBeNull();
    me = person("PA_a");
    people.handle(handover(state));
    vi.advanceTimersByTime(OVER_MS * 10);
    expect(people.handover.value).toMatchObject({ state });
    people.putAway();
    expect(people.handover.value).toBeNull();
  });

  it("is over when a hold is lifted that nobody explained", () => {
    const people = begin();
    const held = person("PA_me", { on_hold: true });
    people.handle(handover("here", { warm: true }));
    people.mine(person("PA_me"), held);
    people.mine(held, held);
    expect(people.handover.value).not.toBeNull();
    people.mine(held, person("PA_me"));
    expect(people.handover.value).toBeNull();
    people.handle(handover("done", { warm: true }));
    people.mine(held, person("PA_me"));
    expect(people.handover.value).toMatchObject({ state: "done" }); // it was completed
    people.handle(handover("here"));
    people.mine(held, person("PA_me"));
    expect(people.handover.value).toMatchObject({ state: "here" }); // that hold was something else
  });

  it("is over when the one who comes leaves again", () => {
    const people = begin();
    people.handle(handover("accepted"));
    people.gone("PA_c", "left");
    expect(people.handover.value).not.toBeNull();
    people.gone("PA_b", "lost");
    expect(people.handover.value).toBeNull();
    expect(people.left.value).toEqual({ participant: "PA_b", name: "name of PA_b", reason: "lost" });
    people.handle(handover("done"));
    people.gone("PA_b", "left");
    expect(people.handover.value).toMatchObject({ state: "done" });
  });

  it("is told anew after everything is drawn anew", () => {
    const people = begin();
    people.handle(handover("here"));
    people.handle({ type: "agent.lost", since: "2026-01-01T00:00:00Z", until: "2026-01-01T00:01:00Z" });
    people.drawn([]);
    expect([people.handover.value, people.lost.value, people.back.value]).toEqual([null, null, false]);
  });
});

describe("a lost agent", () => {
  const lost = { type: "agent.lost", since: "2026-01-01T01:00:00Z", until: "2026-01-01T01:01:00Z" } as const;

  it("ends the words of the hand-over before it, for good", () => {
    const people = begin();
    people.handle(handover("done"));
    people.handle(lost);
    expect(people.handover.value).toBeNull();
    people.handle({ type: "agent.back" });
    vi.advanceTimersByTime(OVER_MS);
    expect([people.handover.value, people.back.value]).toEqual([null, false]);
    people.handle(lost);
    people.handle(handover("accepted"));
    expect(people.handover.value?.state).toBe("accepted"); // who comes instead is said with who is lost
  });

  it("has a place for so long by this machine's clock, and comes back", () => {
    const people = begin();
    people.clock.told("2026-01-01T01:00:03Z"); // an hour ahead of this machine, and three seconds
    people.handle(lost);
    expect(people.lost.value).toEqual({ untilMs: Date.now() + 57_000 });
    people.handle({ type: "agent.back" });
    expect([people.lost.value, people.back.value]).toEqual([null, true]);
    vi.advanceTimersByTime(OVER_MS);
    expect(people.back.value).toBe(false);
    people.handle(lost);
    people.handle({ type: "agent.back" });
    people.handle(lost);
    expect([people.lost.value !== null, people.back.value]).toEqual([true, false]);
  });

  it("is replaced by whoever takes over", () => {
    const people = begin();
    people.handle(lost);
    people.handle(handover("done"));
    expect(people.lost.value).toBeNull();
  });

  it("whom nobody replaces leaves the customer at the front of the queue", () => {
    const people = begin();
    people.session(session("waiting"));
    expect(people.requeued.value).toBe(false); // nobody was there before
    people.handle(lost);
    people.session(session("waiting"));
    expect([people.requeued.value, people.lost.value]).toEqual([true, null]);
    people.session(session("open"));
    expect(people.requeued.value).toBe(false);
    people.handle(lost);
    people.session(session("open"));
    expect(people.lost.value).not.toBeNull();
    people.session(session("ended"));
    expect([people.requeued.value, people.lost.value]).toEqual([false, null]);
  });

  it("leaves no timer behind", () => {
    const people = begin();
    people.handle(handover("done"));
    people.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("the server's clock", () => {
  it("is this machine's until it is told", () => {
    const clock = new ServerClock();
    expect(clock.here("2026-01-01T00:00:10Z")).toBe(Date.now() + 10_000);
    clock.told("nonsense");
    expect(clock.here("2026-01-01T00:00:10Z")).toBe(Date.now() + 10_000);
    expect(clock.here("never")).toBe(Date.now());
  });
});
