/** A customer's own check, without an adviser: every state of it. */
import { LiveVerification } from "../core/verification";
import { CustomerApp } from "../pages/customer/App";
import { SelfArrive, until } from "../pages/customer/SelfArrive";
import { SelfCheck } from "../pages/customer/SelfCheck";
import { SelfDone, SelfOver } from "../pages/customer/SelfDone";
import { Wait } from "../pages/customer/Wait";
import type { CaseBrief, ConsentDecision, ConsentScope, Cue, ServerBody, VerificationChanged, VerificationCue } from "../protocol.gen";
import { problemText } from "../ui/problems";
import { faceStream } from "./face";
import { NAMES, fakeApi, fakeCall, fakeDevices, preview, session, site } from "./fakes";
import type { CallSetting } from "./fakes";
import type { Story } from "./list";

const CASE = `VE_${"K7Q".repeat(8)}AB`;
const nothing = () => undefined;
const idle = { error: null, busy: false };

export const brief = (change: Partial<CaseBrief> = {}): CaseBrief => ({
  case: CASE,
  type: "change_phone",
  title: { zh: "更换预留手机号", en: "Change of your telephone number" },
  state: "open",
  attempts_left: 3,
  attempts_used: 0,
  expires_at: new Date(Date.now() + 900_000).toISOString(),
  steps: ["face", "light"],
  without_face: true,
  retention_days: 1825,
  return_url: "https://bank.example/orders/81",
  reasons: [],
  ...change,
});
const cases = (change: Partial<CaseBrief> = {}): ServerBody => ({ type: "verification.cases", cases: [brief(change)] });
const attempt = (change: Partial<VerificationChanged> = {}): VerificationChanged => ({ type: "verification.changed", case: CASE, participant: "PA_me", state: "playing", number: 1, left: 2, warning: true, outcome: null, problem: "", ...change });
const over = (change: Partial<VerificationChanged>): VerificationChanged => attempt({ state: "over", ...change });
const cue = (kind: Cue, change: Partial<VerificationCue> = {}): VerificationCue => ({ type: "verification.cue", case: CASE, cue: kind, within_s: 0, action: "", number: 0, of: 0, left: 0, colour: "", wait_s: 0, fade_s: 0, reasons: [], ...change });

const AGREED: [ConsentScope, ConsentDecision][] = [
  ["face", "given"],
  ["camera", "given"],
];
const DARK = { preview: null, cameraOn: false };

const alone = (setting: CallSetting) => fakeCall({ others: [], consents: AGREED, verification: [cases()], session: session({ kind: "verification" }), devices: fakeDevices({ preview: faceStream("customer", 720) }), ...setting });

function page(name: string, setting: CallSetting | (() => CallSetting) = {}, asking = false): Story {
  const make = () => <SelfCheck site={site()} call={alone(typeof setting === "function" ? setting() : setting)} anew={false} onAnew={nothing} asking={asking} />;
  return { name: `self-${name}`, make };
}

const camera = (problem: NonNullable<Parameters<typeof fakeDevices>[0]>["cameraProblem"]) => () => ({ devices: fakeDevices({ ...DARK, cameraProblem: problem ?? null }) });
const document = (action: string, change: Partial<VerificationCue> = {}): ServerBody[] => [cases({ steps: ["face", "document"] }), attempt({ warning: false }), cue("document", { action, within_s: 60, ...change })];

function arrive(name: string, change: Partial<CaseBrief> = {}, look: Partial<Parameters<typeof SelfArrive>[0]> = {}): Story {
  return { name: `self-${name}`, make: () => <SelfArrive site={site()} brief={brief(change)} {...idle} onStart={nothing} {...look} /> };
}

function done(name: string, setting: CallSetting, back = brief().return_url): Story {
  return { name: `self-${name}`, make: () => <SelfDone site={site()} call={alone({ phase: "ended", ...setting })} back={back} onAgain={nothing} /> };
}

/** Nobody is on duty: the server has said so to this page. */
function refused() {
  const call = alone({ consents: [["face", "refused"]] });
  const verification = new LiveVerification(nothing);
  verification.handle(cases(), "PA_me");
  verification.callPerson("declined");
  verification.turnedDown("no_staff", { type: "verification.agent", reason: "declined" });
  return { ...call, verification };
}

/** No room: this page waits, or has waited long enough. */
function full(waits: boolean) {
  const call = alone({});
  const verification = new LiveVerification(nothing);
  verification.handle(cases(), "PA_me");
  if (waits) verification.begin(CASE, "PA_me");
  verification.handle(over({ number: 0, problem: "attempts_busy" }), "PA_me");
  return { ...call, verification };
}

export const selfStories: Story[] = [
  {
    name: "self-flow",
    make: () => {
      const api = { ...fakeApi(), inspect: async () => preview({ verification: brief() }), redeem: async () => alone({ consents: [], devices: fakeDevices(DARK) }) };
      return <CustomerApp api={api} secret="x7Qk2mVd9TzLr4WbYc8NsA" />;
    },
  },
  arrive("arrive"),
  arrive("arrive-document", { steps: ["face", "document"], expires_at: new Date(Date.now() + 26 * 3_600_000).toISOString() }),
  arrive("arrive-long", { title: { zh: NAMES.long(), en: NAMES.long() } }),
  arrive("arrive-problem", {}, { error: problemText({ code: "offline", detail: "", retryAfterS: null }) }),
  arrive("arrive-busy", {}, { busy: true }),
  { name: "self-link-over", make: () => <SelfOver site={site()} brief={brief({ state: "accepted" })} /> },
  page("loading", { session: null, verification: [] }),
  page("checking-elsewhere", { verification: [cases({ state: "checking" })] }),
  page("face", { consents: [] }),
  page("face-reconnecting", { consents: [], phase: "reconnecting" }),
  page("document-consent", { consents: AGREED.slice(0, 1), verification: [cases({ steps: ["face", "document"] })] }),
  page("declined", { consents: [["face", "refused"]] }),
  page("declined-branch", { consents: [["face", "refused"]], verification: [cases({ without_face: false })] }),
  page("person-asked", { consents: [] }, true),
  page("camera", () => ({ consents: AGREED.slice(0, 1), devices: fakeDevices(DARK) })),
  page("camera-again", () => ({ devices: fakeDevices(DARK) })),
  ...(["denied", "none", "busy", "insecure", "unsupported", "failed"] as const).map((problem) => page(`camera-${problem}`, camera(problem))),
  page("ready"),
  page("ready-no-light", { verification: [cases({ steps: ["face"] })] }),
  page("ready-connecting", { mediaState: "connecting" }),
  page("ready-unconnected", { mediaState: "failed" }),
  page("ready-again", { verification: [cases({ attempts_left: 1, attempts_used: 2 })] }),
  page("settle", { verification: [cases(), attempt(), cue("settle", { within_s: 12 })] }),
  page("ask", { verification: [cases(), attempt(), cue("colour", { colour: "#f4e9c8" }), cue("ask", { action: "turn_left", number: 1, of: 3, within_s: 8 })] }),
  page("ask-slipped", { verification: [cases(), attempt({ warning: false }), cue("ask", { action: "open_mouth", number: 0, of: 2, within_s: 8 }), cue("slipped")] }),
  page("ask-reconnecting", { phase: "reconnecting", verification: [cases(), attempt({ warning: false }), cue("ask", { action: "nod", number: 1, of: 3, within_s: 8 })] }),
  page("ask-person", { verification: [cases(), attempt({ warning: false }), cue("ask", { action: "nod", number: 1, of: 3, within_s: 8 })] }, true),
  page("card", { verification: document("show_card") }),
  page("card-advice", { verification: document("show_card", { reasons: ["document_glare"] }) }),
  page("card-still", { verification: document("hold_still") }),
  page("card-over", { verification: document("turn_over") }),
  page("card-seen", { verification: document("seen") }),
  page("accepted", { verification: [cases({ state: "accepted" }), over({ outcome: "accept" })] }),
  page("accepted-no-return", { verification: [cases({ state: "accepted", return_url: "" }), over({ outcome: "accept" })] }),
  page("review", { verification: [cases({ state: "review" }), over({ outcome: "refer" })] }),
  page("again", { verification: [cases({ attempts_left: 2, attempts_used: 1 }), over({ outcome: "reject", left: 2 })] }),
  page("again-unseen", () => ({ verification: [cases({ attempts_left: 1, attempts_used: 2 }), attempt(), cue("settle", { within_s: 12 }), cue("advise", { reasons: ["no_face"] }), over({ outcome: "reject", left: 1 })] })),
  page("rejected", { verification: [cases({ state: "rejected", attempts_left: 0 }), over({ outcome: "reject" })] }),
  page("locked", { verification: [cases({ state: "locked" })] }),
  page("expired", { verification: [cases({ state: "expired" })] }),
  page("cancelled", { verification: [cases({ state: "cancelled" })] }),
  page("broken", { verification: [cases({ attempts_left: 2 }), over({ problem: "internal" })] }),
  page("unbegun-camera", { verification: [cases(), over({ number: 0, problem: "camera_off" })] }),
  { name: "self-room", make: () => <SelfCheck site={site()} call={full(true)} anew={false} onAnew={nothing} /> },
  { name: "self-room-none", make: () => <SelfCheck site={site()} call={full(false)} anew={false} onAnew={nothing} /> },
  page("unbegun-unavailable", { verification: [cases(), over({ number: 0, problem: "verification_unavailable" })] }),
  page("unbegun-reference", { verification: [cases(), over({ number: 0, problem: "reference_missing" })] }),
  { name: "self-nobody", make: () => <SelfCheck site={site()} call={refused()} anew={false} onAnew={nothing} /> },
  { name: "self-wait", make: () => <Wait site={site()} call={alone({ phase: "waiting", queue: { position: 2, estimatedWaitS: 240 } })} onCheck={nothing} onAlone={nothing} until={until(brief().expires_at)} /> },
  { name: "self-wait-late", make: () => <Wait site={site()} call={alone({ phase: "waiting", queue: { position: 2, estimatedWaitS: 240 } })} onCheck={nothing} late /> },
  page("small", () => ({ devices: fakeDevices({ preview: faceStream("customer") }) })),
  done("done-left", { ended: "left" }),
  done("done-over", { ended: "session_ended", session: null, verification: [] }),
  done("done-accepted", { ended: "session_ended", verification: [cases({ state: "accepted" })] }),
  done("done-lost", { ended: "internal", verification: [] }, ""),
];
