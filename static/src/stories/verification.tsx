/** Verifying in the session: what the person before the camera is shown, how it went, the panel of who runs it. */
import { useEffect } from "preact/hooks";
import { LiveVerification } from "../core/verification";
import { t } from "../i18n";
import { Workbench } from "../pages/agent/Workbench";
import { CallView } from "../pages/session/CallView";
import type { CallViewProps } from "../pages/session/CallView";
import type { CaseBrief, Cue, ParticipantView, ServerBody, VerificationChanged, VerificationCue } from "../protocol.gen";
import { NAMES, fakeCall, fakeDesk, fakeDevices, person, site } from "./fakes";
import type { CallSetting } from "./fakes";
import type { Story } from "./list";

const CASE = `VE_${"K7Q".repeat(8)}AB`;

const attempt = (change: Partial<VerificationChanged> = {}): VerificationChanged => ({ type: "verification.changed", case: CASE, participant: "PA_me", state: "playing", number: 1, left: 0, warning: false, outcome: null, problem: "", ...change });
const cue = (kind: Cue, change: Partial<VerificationCue> = {}): VerificationCue => ({ type: "verification.cue", case: CASE, cue: kind, within_s: 0, action: "", number: 0, of: 0, left: 0, colour: "", wait_s: 0, fade_s: 0, reasons: [], ...change });
const ask = (action: string, number = 1): VerificationCue => cue("ask", { action, number, of: 3, within_s: 8 });
const over = (change: Partial<VerificationChanged>): VerificationChanged => attempt({ state: "over", ...change });

const MINE: NonNullable<CallSetting["consents"]> = [
  ["microphone", "given"],
  ["camera", "given"],
  ["face", "given"],
];

function view(name: string, verification: ServerBody[], setting: CallSetting = {}, props: Partial<CallViewProps> = {}): Story {
  return { name: `verify-${name}`, make: () => <CallView call={fakeCall({ consents: MINE, verification, ...setting })} variant="customer" {...props} /> };
}

const customer = (id = "PA_c", name = NAMES.customer()): ParticipantView => person(id, "customer", name);
const agreed = (id = "PA_c"): ServerBody => ({ type: "consent.changed", consent: { participant: id, scope: "face", decision: "given", decided_at: "" } });

function bench(name: string, verification: ServerBody[], others: () => ParticipantView[] = () => [customer()]): Story {
  const make = () => {
    const grants = ["publish.microphone", "publish.camera", "subscribe", "chat", "ask", "session.end", "verification.run"];
    const call = fakeCall({ me: person("PA_me", "agent", NAMES.agent()), others: others(), grants, verification });
    return <Workbench desk={fakeDesk({ call })} site={site()} callProps={{ panel: "context" }} />;
  };
  return { name: `bench-verify-${name}`, make };
}

const theirs = (change: Partial<VerificationChanged>): VerificationChanged => attempt({ participant: "PA_c", ...change });

const brief = (change: Partial<CaseBrief> = {}): CaseBrief => ({
  case: CASE,
  type: "reserved_phone_change",
  title: { zh: "变更预留手机号", en: "Change of the reserved telephone number" },
  state: "open",
  attempts_left: 3,
  attempts_used: 0,
  expires_at: new Date(Date.now() + 840_000).toISOString(),
  steps: ["face", "light"],
  without_face: true,
  retention_days: 1825,
  return_url: "",
  reasons: [],
  ...change,
});
const listed = (...cases: CaseBrief[]): ServerBody => ({ type: "verification.cases", cases });
const another = (letter: string, change: Partial<CaseBrief> = {}): CaseBrief => brief({ case: `VE_${letter.repeat(24)}A7`, type: "card_loss_report", title: { zh: "挂失银行卡", en: "Report of a lost card" }, steps: ["face", "light", "document"], ...change });
const states = ["checking", "review", "second_review", "accepted", "rejected", "expired", "cancelled", "locked"] as const;

/** The form that opens at a press. */
function Identifies() {
  useEffect(() => void [...document.querySelectorAll("button")].find((one) => one.textContent?.includes(t("staff.identify.open")))?.click(), []);
  return bench("", [agreed(), listed(brief())]).make();
}

/** All places are taken, and the agent's page asks again. */
function Waits() {
  const call = fakeCall({ me: person("PA_me", "agent", NAMES.agent()), others: [customer()], grants: ["publish.microphone", "publish.camera", "subscribe", "chat", "ask", "session.end", "verification.run"] });
  const verification = new LiveVerification(() => undefined);
  [agreed(), listed(brief())].forEach((body) => verification.handle(body, "PA_me"));
  verification.begin(CASE, "PA_c");
  verification.handle(theirs({ state: "over", number: 0, problem: "attempts_busy" }), "PA_me");
  return <Workbench desk={fakeDesk({ call: { ...call, verification } })} site={site()} callProps={{ panel: "context" }} />;
}

export const verificationStories: Story[] = [
  view("starting", [attempt()]),
  view("settle", [attempt({ warning: true }), cue("settle", { within_s: 12 })]),
  view("settle-advice", [attempt(), cue("settle", { within_s: 12 }), cue("advise", { reasons: ["too_dark", "face_too_small"] })]),
  view("settle-no-picture", [attempt(), cue("settle", { within_s: 12 })], { devices: fakeDevices({ preview: null }) }),
  ...["turn_left", "turn_right", "nod", "blink", "open_mouth", "come_closer"].map((action) => view(`ask-${action}`, [attempt(), ask(action)])),
  view("ask-slipped", [attempt(), ask("turn_left"), cue("slipped", { left: 1, reasons: ["action_other"] })]),
  view("ask-recorded", [attempt(), ask("nod", 0)], { recording: { state: "on", id: "RE_1", started_at: new Date(Date.now() - 60_000).toISOString(), recorded: ["PA_me"] } }),
  view("rest", [attempt(), ask("nod"), cue("rest", { number: 1, within_s: 6 })]),
  view("colour-pale", [attempt({ warning: true }), cue("colour", { colour: "#f4e9c8" }), ask("turn_right", 2)]),
  view("colour-strong", [attempt({ warning: true }), cue("colour", { colour: "#0000ff" }), ask("open_mouth", 0)]),
  view("colour-red", [attempt({ warning: true }), cue("colour", { colour: "#ff0000" }), ask("blink", 0)]),
  view("hold-on", [attempt(), cue("colour", { colour: "#00ff00" }), cue("hold_on", { within_s: 4 })]),
  view("accepted", [over({ outcome: "accept" })]),
  view("referred", [over({ outcome: "refer", left: 1 })]),
  view("rejected", [over({ outcome: "reject", left: 2 })]),
  view("rejected-last", [over({ outcome: "reject" })]),
  view("rejected-in-colour", [attempt(), cue("colour", { colour: "#0000ff" }), cue("colour", { wait_s: 3_600 }), over({ outcome: "reject", left: 1 })]),
  ...["camera_off", "reference_missing", "customer_locked", "verification_unavailable", "wrong_state", "attempts_busy"].map((problem) => view(`unbegun-${problem}`, [over({ number: 0, problem })])),
  view("broken", [over({ problem: "internal" })]),
  view("consent", [over({ number: 0, problem: "not_allowed" })], { consents: [] }),
  view("consent-dialog", [], { consents: [] }, { open: { kind: "face-consent" } }),
  view("sharing", [], {}, { open: { kind: "sharing" } }),
  bench("idle", [agreed()]),
  bench("several", [agreed()], () => [customer(), customer("PA_d", NAMES.long())]),
  bench("several-playing", [agreed(), theirs({})], () => [customer(), customer("PA_d", NAMES.long())]),
  bench("consent", []),
  bench("camera", [agreed()], () => [person("PA_c", "customer", NAMES.customer(), ["microphone"])]),
  bench("nobody", [], () => []),
  bench("playing", [agreed(), theirs({})]),
  bench("accepted", [agreed(), theirs({ state: "over", outcome: "accept" })]),
  bench("rejected", [agreed(), theirs({ state: "over", outcome: "reject", left: 1 })]),
  bench("no-case", [agreed(), listed()]),
  bench("case", [listed(brief())]),
  bench("cases", [agreed(), listed(brief(), another("B", { attempts_used: 1, attempts_left: 1, without_face: false }))]),
  bench("case-states", [agreed(), listed(...states.map((state, at) => another("BCDEFGHI"[at] ?? "J", { state })))]),
  bench("case-running", [agreed(), listed(brief({ state: "checking", attempts_used: 1 })), theirs({})]),
  bench("case-review", [agreed(), listed(brief({ state: "review", attempts_used: 1 })), theirs({ state: "over", outcome: "refer" })]),
  { name: "bench-verify-identify", make: () => <Identifies /> },
  { name: "bench-verify-room", make: () => <Waits /> },
  bench("unbegun", [theirs({ state: "over", number: 0, problem: "not_allowed" })]),
];
