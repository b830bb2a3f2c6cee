/** Where a customer stands who makes a check by themselves: worked out anew from what the server has said, so that a reload comes back to it. */
import type { Verification } from "../../core/verification";
import type { Call, CallPhase } from "../../core/model";
import type { AgentReason, CaseBrief, ConsentDecision, ConsentScope, ParticipantView, SessionView, VerificationChanged } from "../../protocol.gen";

/** `wait`, `person`: the ordinary pages of a conversation. */
export type SelfStage = "loading" | "face" | "document" | "declined" | "camera" | "ready" | "check" | "result" | "ended" | "wait" | "person";

/** What the page goes by. `anew`: who has said no wants to be asked once more. */
export interface SelfFacts {
  phase: CallPhase;
  session: Pick<SessionView, "status"> | null;
  me: Pick<ParticipantView, "id"> | null;
  others: readonly Pick<ParticipantView, "role" | "state">[];
  brief: CaseBrief | null;
  view: VerificationChanged | null;
  closed: boolean;
  consents: ReadonlyMap<ConsentScope, ConsentDecision>;
  camera: boolean;
  lit: boolean; // coloured light is still on the screen
  anew: boolean;
}

const OVER: ReadonlySet<CaseBrief["state"]> = new Set(["review", "second_review", "accepted", "rejected", "expired", "cancelled", "locked"]);

/** Nothing is left for the customer to do here. */
export function isOver(brief: CaseBrief | null): boolean {
  return brief !== null && OVER.has(brief.state);
}

/** The one that can still be made, else the newest. */
export function chosenCase(cases: readonly CaseBrief[] | null): CaseBrief | null {
  return cases?.find((one) => !isOver(one)) ?? cases?.[0] ?? null;
}

/** One's own attempt, of this case. */
export function ownView(facts: Pick<SelfFacts, "view" | "me" | "brief">): VerificationChanged | null {
  const { view, me, brief } = facts;
  return view !== null && view.participant === me?.id && (brief === null || view.case === brief.case) ? view : null;
}

function asks(facts: SelfFacts): "face" | "document" | "declined" | null {
  const scopes = facts.brief?.steps.includes("document") ? (["face", "document"] as const) : (["face"] as const);
  const said = (scope: ConsentScope) => facts.consents.get(scope);
  const missing = scopes.find((scope) => said(scope) !== "given");
  if (missing === undefined) return facts.consents.get("camera") === "refused" && !facts.anew ? "declined" : null;
  return said(missing) === undefined || facts.anew ? missing : "declined";
}

export function selfStage(facts: SelfFacts): SelfStage {
  const { phase, session, me, brief } = facts;
  if (phase === "ended") return "ended";
  if (session === null || me === null) return "loading";
  if (facts.lit && ownView(facts) !== null && !facts.closed) return "check"; // it goes in its own time
  if (session.status === "waiting") return "wait";
  if (facts.others.some((one) => one.role !== "customer" && one.state !== "left")) return "person";
  const view = ownView(facts);
  if (view?.state === "playing") return "check";
  if (isOver(brief) || (view !== null && !facts.closed)) return "result";
  if (brief === null || brief.state === "checking") return "loading";
  return asks(facts) ?? (facts.camera && facts.consents.get("camera") === "given" ? "ready" : "camera");
}

export function factsOf(call: Call, anew: boolean): SelfFacts {
  const { verification } = call;
  return {
    phase: call.phase.value,
    session: call.session.value,
    me: call.me.value,
    others: call.others.value,
    brief: chosenCase(verification.cases.value),
    view: verification.view.value,
    closed: verification.closed.value,
    consents: call.consents.value,
    camera: call.devices.cameraOn.value && call.devices.preview.value !== null,
    lit: (verification.light.value?.colour ?? "") !== "",
    anew,
  };
}

/** How it went, in the words of the page. `again`: it may be tried once more. */
export type SelfOutcome = "accepted" | "review" | "rejected" | "locked" | "expired" | "cancelled" | "again" | "paused" | "broken" | "unbegun";

export function selfOutcome(brief: CaseBrief | null, view: VerificationChanged | null): SelfOutcome {
  if (brief !== null && isOver(brief)) return brief.state === "second_review" ? "review" : (brief.state as SelfOutcome);
  if (view?.outcome === "accept") return "accepted";
  if (view?.outcome === "refer") return "review";
  if (view?.problem === "customer_locked") return "locked";
  if (view !== null && view.outcome === null) return view.number > 0 ? "broken" : "unbegun";
  const why = view !== null && view.case === brief?.case ? brief.reasons : []; // the last one ended through nobody's fault
  if (why.includes("stream_gap")) return "paused";
  const left = brief?.attempts_left ?? view?.left ?? 0;
  if (why.includes("trouble") && left === 0) return "broken";
  return left > 0 ? "again" : "rejected";
}

/** Whether trying again can help at all. */
export function mayTryAgain(outcome: SelfOutcome, brief: CaseBrief | null, view: VerificationChanged | null): boolean {
  if (outcome === "again") return true;
  if (outcome !== "broken" && outcome !== "unbegun" && outcome !== "paused") return false;
  return (brief === null || brief.attempts_left > 0) && view?.problem !== "reference_missing";
}

export function canTryAgain(facts: SelfFacts): boolean {
  const view = ownView(facts);
  return mayTryAgain(selfOutcome(facts.brief, view), facts.brief, view);
}

/** A page that the bank has given to go back to, or null: only the web's own addresses are followed. */
export function safeReturn(url: string): string | null {
  try {
    const { protocol } = new URL(url);
    return protocol === "https:" || protocol === "http:" ? url : null;
  } catch {
    return null;
  }
}

/** Why a person is asked for, by where the customer stands. */
export function callReason(stage: SelfStage, verification: Pick<Verification, "view">): AgentReason {
  if (stage === "declined" || stage === "face" || stage === "document") return "declined";
  return stage === "result" && verification.view.value !== null ? "cannot" : "help";
}
