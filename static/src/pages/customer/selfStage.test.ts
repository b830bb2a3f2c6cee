import { signal } from "@preact/signals";
import { describe, expect, it } from "vitest";
import type { CaseBrief, ConsentDecision, ConsentScope, VerificationChanged } from "../../protocol.gen";
import { callReason, canTryAgain, chosenCase, isOver, mayTryAgain, ownView, safeReturn, selfOutcome, selfStage } from "./selfStage";
import type { SelfFacts } from "./selfStage";

const CASE = `VE_${"A2".repeat(13)}`;
const brief = (change: Partial<CaseBrief> = {}): CaseBrief => ({ case: CASE, type: "change_phone", title: { zh: "换", en: "Change" }, state: "open", attempts_left: 3, attempts_used: 0, expires_at: "", steps: ["face", "light"], without_face: true, retention_days: 1825, return_url: "", reasons: [], ...change });
const view = (change: Partial<VerificationChanged> = {}): VerificationChanged => ({ type: "verification.changed", case: CASE, participant: "PA_me", state: "over", number: 1, left: 2, warning: false, outcome: null, problem: "", ...change });
const said = (...all: [ConsentScope, ConsentDecision][]) => new Map(all);
const FACE: [ConsentScope, ConsentDecision] = ["face", "given"];
const CAMERA: [ConsentScope, ConsentDecision] = ["camera", "given"];

const facts = (change: Partial<SelfFacts> = {}): SelfFacts => ({ phase: "live", session: { status: "open" }, me: { id: "PA_me" }, others: [], brief: brief(), view: null, closed: false, consents: said(), camera: false, lit: false, anew: false, ...change });

describe("where a customer stands", () => {
  it.each([
    ["before the server has said anything", { session: null }, "loading"],
    ["before it knows the case", { brief: null }, "loading"],
    ["first the question", {}, "face"],
    ["no", { consents: said(["face", "refused"]) }, "declined"],
    ["taken back", { consents: said(["face", "withdrawn"]) }, "declined"],
    ["no, and after all", { consents: said(["face", "refused"]), anew: true }, "face"],
    ["yes, then the camera", { consents: said(FACE) }, "camera"],
    ["a document is asked for by itself", { consents: said(FACE), brief: brief({ steps: ["face", "document"] }) }, "document"],
    ["no to the document", { consents: said(FACE, ["document", "refused"]), brief: brief({ steps: ["face", "document"] }) }, "declined"],
    ["yes to both", { consents: said(FACE, ["document", "given"]), brief: brief({ steps: ["face", "document"] }) }, "camera"],
    ["no to the camera", { consents: said(FACE, ["camera", "refused"]) }, "declined"],
    ["the camera was for a conversation, and taken back", { consents: said(FACE, ["camera", "withdrawn"]) }, "camera"],
    ["agreed and off, as after a reload", { consents: said(FACE, CAMERA) }, "camera"],
    ["on, and not agreed to", { consents: said(FACE), camera: true }, "camera"],
    ["agreed and on", { consents: said(FACE, CAMERA), camera: true }, "ready"],
    ["it runs", { view: view({ state: "playing" }) }, "check"],
    ["it runs and the page comes anew, before a cue", { brief: brief({ state: "checking" }), consents: said(FACE, CAMERA), camera: true }, "loading"],
    ["somebody else's", { view: view({ state: "playing", participant: "PA_other" }) }, "face"],
    ["an older case's", { view: view({ case: `VE_${"B2".repeat(13)}` }) }, "face"],
    ["it is over", { view: view() }, "result"],
    ["it is over, and the light is not", { view: view(), lit: true }, "check"],
    ["a person is asked for, and the light is not over", { view: view(), lit: true, session: { status: "waiting" } }, "check"],
    ["it is over, and was read", { view: view(), closed: true, consents: said(FACE, CAMERA), camera: true }, "ready"],
    ["expired before it began", { brief: brief({ state: "expired" }) }, "result"],
    ["a colleague looks, after a reload", { brief: brief({ state: "second_review" }) }, "result"],
    ["in line", { session: { status: "waiting" } }, "wait"],
    ["a person is there", { others: [{ role: "agent", state: "active" }] }, "person"],
    ["a person was there", { others: [{ role: "agent", state: "left" }] }, "face"],
    ["a person's line is cut", { others: [{ role: "agent", state: "disconnected" }] }, "person"],
    ["it ended", { phase: "ended" }, "ended"],
    ["a cut of one's own line changes nothing", { phase: "reconnecting" }, "face"],
  ] satisfies [string, Partial<SelfFacts>, string][])("%s", (_name, change, stage) => expect(selfStage(facts(change))).toBe(stage));

  it("takes the case that can still be made, else the newest", () => {
    expect(chosenCase(null)).toBeNull();
    expect(chosenCase([])).toBeNull();
    const newest = brief({ case: "VE_2", state: "accepted" });
    expect(chosenCase([newest, brief()])?.case).toBe(CASE);
    expect(chosenCase([newest, brief({ state: "expired" })])).toBe(newest);
  });

  it.each([
    ["open", false],
    ["checking", false],
    ["review", true],
    ["second_review", true],
    ["accepted", true],
    ["rejected", true],
    ["expired", true],
    ["cancelled", true],
    ["locked", true],
  ] as const)("%s: nothing more to do here is %s", (state, over) => expect(isOver(brief({ state }))).toBe(over));
});

describe("how it went", () => {
  it.each([
    [brief({ state: "accepted" }), view({ outcome: "accept" }), "accepted", false],
    [brief(), view({ outcome: "accept" }), "accepted", false], // the attempt's end may come before the case's
    [brief(), view({ outcome: "refer" }), "review", false],
    [brief({ state: "second_review" }), null, "review", false],
    [brief({ state: "rejected", attempts_left: 0 }), view({ outcome: "reject", left: 0 }), "rejected", false],
    [brief({ state: "rejected", attempts_left: 0 }), null, "rejected", false],
    [brief({ attempts_left: 2 }), view({ outcome: "reject", left: 2 }), "again", true],
    [null, view({ outcome: "reject", left: 1 }), "again", true],
    [brief({ attempts_left: 1, reasons: ["stream_gap"] }), view({ outcome: "reject", left: 1 }), "paused", true],
    [brief({ attempts_left: 0, reasons: ["stream_gap"] }), view({ outcome: "reject", left: 0 }), "paused", false],
    [brief({ attempts_left: 1, reasons: ["trouble"] }), view({ outcome: "reject", left: 1 }), "again", true],
    [brief({ attempts_left: 0, reasons: ["trouble"] }), view({ outcome: "reject", left: 0 }), "broken", false],
    [null, view({ outcome: "reject", left: 0 }), "rejected", false],
    [brief({ state: "locked" }), view({ outcome: "reject" }), "locked", false],
    [brief(), view({ number: 0, problem: "customer_locked" }), "locked", false],
    [brief(), view({ problem: "internal" }), "broken", true],
    [brief({ attempts_left: 0 }), view({ problem: "internal" }), "broken", false],
    [brief(), view({ number: 0, problem: "camera_off" }), "unbegun", true],
    [brief(), view({ number: 0, problem: "reference_missing" }), "unbegun", false],
    [brief({ state: "expired" }), view({ problem: "wrong_state" }), "expired", false],
    [brief({ state: "cancelled" }), null, "cancelled", false],
  ] as const)("case %#", (one, attempt, outcome, again) => {
    expect(selfOutcome(one, attempt)).toBe(outcome);
    expect(mayTryAgain(outcome, one, attempt)).toBe(again);
    expect(canTryAgain(facts({ brief: one, view: attempt }))).toBe(again);
  });

  it("is one's own", () => {
    expect(ownView(facts({ view: view({ participant: "PA_other" }) }))).toBeNull();
    expect(ownView(facts({ view: view(), me: null }))).toBeNull();
    expect(ownView(facts({ view: view(), brief: null }))).not.toBeNull();
  });
});

it.each([
  ["https://bank.example/orders/81?x=1#y", true],
  ["http://127.0.0.1:8700/", true],
  ["javascript:alert(1)", false],
  ["data:text/html,x", false],
  ["//bank.example", false],
  ["/orders", false],
  ["", false],
])("goes back to %s: %s", (url, goes) => expect(safeReturn(url)).toBe(goes ? url : null));

it("says why a person is wanted", () => {
  const seen = { view: signal(view()) };
  expect(callReason("face", seen)).toBe("declined");
  expect(callReason("declined", seen)).toBe("declined");
  expect(callReason("ready", seen)).toBe("help");
  expect(callReason("result", seen)).toBe("cannot");
});
