import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CaseBrief, ClientBody, ConsentView, SessionView, VerificationChanged, VerificationCue } from "../protocol.gen";
import { LiveVerification, fills, hasNoRoom, isCase } from "./verification";

const CASE = `VE_${"A2".repeat(13)}`;
const changed = (part: Partial<VerificationChanged> = {}): VerificationChanged => ({ type: "verification.changed", case: CASE, participant: "PA_me", state: "playing", number: 1, left: 0, warning: true, outcome: null, problem: "", ...part });
const cue = (part: Partial<VerificationCue> & Pick<VerificationCue, "cue">): VerificationCue => ({ type: "verification.cue", case: CASE, within_s: 0, action: "", number: 0, of: 0, left: 0, colour: "", wait_s: 0, fade_s: 0, reasons: [], ...part });
const face = (decision: ConsentView["decision"], participant = "PA_c"): ConsentView => ({ participant, scope: "face", decision, decided_at: "" });

function live(): { verification: LiveVerification; sent: ClientBody[] } {
  const sent: ClientBody[] = [];
  return { verification: new LiveVerification((body) => void sent.push(body), () => 1_000), sent };
}

describe("an attempt", () => {
  it("is what the server says of it, one instruction at a time", () => {
    const { verification } = live();
    expect(verification.handle(changed(), "PA_me")).toBe(true);
    expect(fills(verification, "PA_me")).toBe(true);
    expect(fills(verification, "PA_other")).toBe(false);
    verification.handle(cue({ cue: "settle", within_s: 12 }), "PA_me");
    expect(verification.asked.value).toEqual({ cue: "settle", action: "", number: 1, of: 0, withinS: 12, sinceMs: 1_000 });
    verification.handle(cue({ cue: "advise", reasons: ["too_dark", "blurred"] }), "PA_me");
    expect(verification.advice.value).toEqual(["too_dark", "blurred"]);
    verification.handle(cue({ cue: "ask", action: "nod", number: 1, of: 3, within_s: 6 }), "PA_me");
    expect(verification.advice.value).toEqual([]);
    expect(verification.asked.value).toMatchObject({ cue: "ask", action: "nod", number: 2, of: 3, withinS: 6 });
    verification.handle(cue({ cue: "slipped", left: 1, reasons: ["action_other"] }), "PA_me");
    expect([verification.slips.value, verification.asked.value?.action]).toEqual([1, "nod"]);
    verification.handle(cue({ cue: "rest", number: 1 }), "PA_me");
    expect([verification.slips.value, verification.asked.value?.cue]).toEqual([0, "rest"]);
  });

  it("keeps the light until the light itself goes, also behind the end", () => {
    vi.useFakeTimers();
    const { verification } = live();
    verification.handle(changed(), "PA_me");
    verification.handle(cue({ cue: "colour", colour: "#ff0000", fade_s: 0.3 }), "PA_me");
    verification.handle(changed({ state: "over", outcome: "accept" }), "PA_me");
    expect(verification.light.value).toEqual({ colour: "#ff0000", fadeS: 0.3 });
    verification.handle(cue({ cue: "colour", wait_s: 1.2, fade_s: 0.3 }), "PA_me");
    verification.handle(cue({ cue: "ask", action: "blink" }), "PA_me");
    vi.advanceTimersByTime(1_199);
    expect(verification.light.value?.colour).toBe("#ff0000");
    vi.advanceTimersByTime(1);
    expect(verification.light.value).toEqual({ colour: "", fadeS: 0.3 });
    vi.useRealTimers();
    expect([verification.view.value?.state, verification.asked.value]).toEqual(["over", null]);
  });

  it("begins anew with nothing of the one before, and is put away when it was read", () => {
    vi.useFakeTimers();
    const { verification } = live();
    verification.handle(changed(), "PA_me");
    verification.handle(cue({ cue: "colour", colour: "#ff0000" }), "PA_me");
    verification.handle(changed({ state: "over", outcome: "reject", left: 1 }), "PA_me");
    verification.putAway();
    expect(fills(verification, "PA_me")).toBe(false);
    verification.handle(changed({ number: 2 }), "PA_me");
    expect(fills(verification, "PA_me")).toBe(true);
    vi.advanceTimersByTime(1_000);
    expect(verification.light.value).toBeNull();
    vi.useRealTimers();
  });

  it("is found by a page that comes in the middle of it", () => {
    const { verification } = live();
    verification.handle(cue({ cue: "ask", action: "nod", of: 2 }), undefined);
    expect(verification.view.value).toBeNull();
    verification.handle(cue({ cue: "ask", action: "nod", of: 2 }), "PA_me");
    expect(verification.view.value).toMatchObject({ case: CASE, participant: "PA_me", state: "playing" });
    verification.drawn([]);
    expect([verification.view.value, verification.asked.value]).toEqual([null, null]);
    verification.handle(changed({ state: "over", outcome: "refer" }), "PA_me");
    verification.drawn([]);
    expect(verification.view.value?.outcome).toBe("refer");
  });

  it("leaves other messages alone", () => {
    expect(live().verification.handle({ type: "media.lost" }, "PA_me")).toBe(false);
  });
});

describe("when there is no room", () => {
  const full = changed({ state: "over", number: 0, problem: "attempts_busy" });
  const BEGIN: ClientBody = { type: "verification.begin", case: CASE, participant: "PA_me" };
  let verification: LiveVerification;
  let sent: ClientBody[];
  let chance: number;

  beforeEach(() => {
    vi.useFakeTimers();
    sent = [];
    chance = 0;
    verification = new LiveVerification((body) => void sent.push(body), Date.now, () => chance);
  });
  afterEach(() => void vi.useRealTimers());
  const told = (body: VerificationChanged) => verification.handle(body, "PA_me");

  it("asks again after a while that is no two pages' own, as it asked first, until it begins", () => {
    verification.begin(CASE, "PA_me", false);
    told(full);
    expect([verification.waiting.value, verification.beginning.value, hasNoRoom(verification.view.value)]).toEqual([true, false, true]);
    vi.advanceTimersByTime(2_999);
    expect(sent).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(sent).toEqual([{ ...BEGIN, light: false }, { ...BEGIN, light: false }]);
    chance = 0.5;
    told(full);
    vi.advanceTimersByTime(4_499);
    expect(sent).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(sent).toHaveLength(3);
    told(changed());
    vi.advanceTimersByTime(60_000);
    expect([sent.length, verification.waiting.value, verification.view.value?.state]).toEqual([3, false, "playing"]);
  });

  it("gives up after some minutes, and says what it was", () => {
    verification.begin(CASE, "PA_me");
    for (let count = 0; count < 200; count += 1) {
      if (sent.length > count) told(full);
      vi.advanceTimersByTime(3_000);
    }
    expect(sent).toHaveLength(61); // the first, and one each three seconds for three minutes
    expect([verification.waiting.value, hasNoRoom(verification.view.value)]).toEqual([false, true]);
  });

  it.each([
    ["they stop it", () => verification.stopWaiting()],
    ["they put it away", () => verification.putAway()],
    ["they want a person", () => verification.callPerson("help")],
    ["they are in line", () => verification.handle({ type: "session.changed", session: { status: "waiting" } as SessionView }, "PA_me")],
    ["it is refused for something else", () => verification.turnedDown("conflict", BEGIN)],
    ["it cannot begin at all", () => told(changed({ state: "over", number: 0, problem: "wrong_state" }))],
  ])("asks no more when %s", (_name, what) => {
    verification.begin(CASE, "PA_me");
    told(full);
    what();
    const before = sent.length;
    vi.advanceTimersByTime(60_000);
    expect([verification.waiting.value, sent.length]).toEqual([false, before]);
  });

  it("is waited for by the page that asked alone, and shown once to who has read it", () => {
    told(full);
    expect([verification.waiting.value, fills(verification, "PA_me")]).toEqual([false, true]);
    verification.putAway();
    told(full);
    expect(fills(verification, "PA_me")).toBe(false);
    told(changed());
    expect(fills(verification, "PA_me")).toBe(true);
    vi.advanceTimersByTime(60_000);
    expect(sent).toEqual([]);
  });

  it("goes on waiting over a cut of the line", () => {
    verification.begin(CASE, "PA_me");
    told(full);
    vi.advanceTimersByTime(3_000); // and nobody answers
    verification.drawn([]);
    vi.advanceTimersByTime(3_000);
    expect([sent.length, verification.waiting.value]).toEqual([3, true]);
  });
});

describe("a customer by themselves", () => {
  const brief: CaseBrief = { case: CASE, type: "change_phone", title: { zh: "换", en: "Change" }, state: "open", attempts_left: 3, attempts_used: 0, expires_at: "", steps: ["face"], without_face: true, retention_days: 1825, return_url: "", reasons: [] };

  it("is told the cases each time, the whole list", () => {
    const { verification } = live();
    expect(verification.cases.value).toBeNull();
    expect(verification.handle({ type: "verification.cases", cases: [brief] }, "PA_me")).toBe(true);
    expect(verification.handle({ type: "verification.cases", cases: [] }, "PA_me")).toBe(true);
    expect(verification.cases.value).toEqual([]);
  });

  it("goes without light from the beginning or in the middle, and says nothing of it otherwise", () => {
    const { verification, sent } = live();
    verification.begin(CASE, "PA_me");
    verification.begin(CASE, "PA_me", false);
    verification.cannot();
    verification.cannot(true);
    expect(sent).toEqual([
      { type: "verification.begin", case: CASE, participant: "PA_me" },
      { type: "verification.begin", case: CASE, participant: "PA_me", light: false },
      { type: "verification.cannot" },
      { type: "verification.cannot", light: true },
    ]);
  });

  it("asks for a person once, until the line or a refusal answers", () => {
    const { verification, sent } = live();
    const asked: ClientBody = { type: "verification.agent", reason: "help" };
    verification.callPerson("help");
    verification.callPerson("help");
    expect([sent, verification.calling.value]).toEqual([[asked], true]);
    expect(verification.turnedDown("no_staff", asked)).toBe(true);
    expect([verification.calling.value, verification.callRefused.value]).toEqual([false, "no_staff"]);
    verification.callPerson("cannot");
    expect(verification.callRefused.value).toBeNull();
    const session = { status: "waiting" } as SessionView;
    expect(verification.handle({ type: "session.changed", session }, "PA_me")).toBe(false); // others want it too
    expect(verification.calling.value).toBe(false);
    verification.callPerson("help", false);
    expect(sent.at(-1)).toEqual({ ...asked, wanted: false });
    verification.drawn([]); // a new connection: nobody knows of the one before
    expect(verification.calling.value).toBe(false);
  });

  it("is led through a document, whose time runs on while the advice changes", () => {
    let now = 1000;
    const verification = new LiveVerification(() => undefined, () => now);
    verification.handle(changed(), "PA_me");
    const show = (action: string, reasons: string[], within_s = 60) => verification.handle(cue({ cue: "document", action, within_s, reasons }), "PA_me");
    show("show_card", ["document_glare"]);
    expect([verification.asked.value, verification.advice.value]).toEqual([{ cue: "document", action: "show_card", number: 1, of: 0, withinS: 60, sinceMs: 1000 }, ["document_glare"]]);
    now = 9000;
    show("hold_still", []);
    expect([verification.asked.value?.action, verification.asked.value?.sinceMs, verification.advice.value]).toEqual(["hold_still", 1000, []]);
    show("turn_over", []);
    expect(verification.asked.value?.sinceMs).toBe(9000);
    now = 9500;
    show("hold_still", []);
    show("turn_over", ["document_blurred"]);
    expect(verification.asked.value?.sinceMs).toBe(9000);
    now = 20_000;
    verification.handle(cue({ cue: "settle" }), "PA_me"); // another attempt
    show("show_card", []);
    show("turn_over", []);
    expect(verification.asked.value?.sinceMs).toBe(20_000);
  });
});

describe("who runs it", () => {
  it("says what is wanted and waits for the answer, whichever it is", () => {
    const { verification, sent } = live();
    verification.begin(CASE, "PA_c");
    expect(verification.beginning.value).toBe(true);
    expect(verification.turnedDown("conflict", { type: "verification.begin", case: CASE, participant: "PA_c" })).toBe(true);
    expect([verification.beginning.value, verification.refused.value]).toEqual([false, "conflict"]);
    verification.begin(CASE, "PA_c");
    expect(verification.refused.value).toBeNull();
    verification.handle(changed({ participant: "PA_c" }), "PA_me");
    expect(verification.beginning.value).toBe(false);
    verification.cannot();
    verification.stop();
    expect(sent.map(({ type }) => type)).toEqual(["verification.begin", "verification.begin", "verification.cannot", "verification.stop"]);
  });

  it("hears nothing of a refusal that came after the end, and nothing of others'", () => {
    const { verification } = live();
    expect(verification.turnedDown("conflict", { type: "verification.stop" })).toBe(true);
    expect(verification.turnedDown("conflict", { type: "verification.cannot" })).toBe(true);
    expect(verification.turnedDown("conflict", { type: "leave" })).toBe(false);
    expect(verification.refused.value).toBeNull();
  });

  it("knows who has agreed to a check of their face", () => {
    const { verification } = live();
    verification.drawn([face("given"), { ...face("given", "PA_d"), scope: "camera" }]);
    expect([...verification.agreed.value]).toEqual([["PA_c", "given"]]);
    expect(verification.handle({ type: "consent.changed", consent: face("withdrawn") }, "PA_me")).toBe(false); // others want it too
    expect(verification.agreed.value.get("PA_c")).toBe("withdrawn");
  });

  it("tells a case from something else", () => {
    expect([CASE, "VE_1", CASE.toLowerCase(), `${CASE} `, ""].map(isCase)).toEqual([true, false, false, false, false]);
  });
});
