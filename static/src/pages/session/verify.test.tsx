import { render } from "preact";
import { act } from "preact/test-utils";
import { signal } from "@preact/signals";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { CaseBrief, ClientBody, ConsentDecision, ParticipantView, ServerBody, VerificationChanged, VerificationCue } from "../../protocol.gen";
import { LiveVerification } from "../../core/verification";
import { language, t } from "../../i18n";
import { fakeCall, fakeDevices, person } from "../../stories/fakes";
import type { FakeCall } from "../../stories/fakes";
import { announce } from "../../ui/announce";
import { speak } from "../../ui/speech";
import { CallView } from "./CallView";
import { VerificationPanel } from "./VerificationPanel";
import { Verify, isVerified } from "./Verify";
import { isBright } from "./verifyWords";
import { CallUiContext } from "./ui";
import type { CallUi } from "./ui";

vi.mock("../../stories/face", () => ({ faceStream: () => null, screenStream: () => null }));
vi.mock("../../ui/announce", () => ({ announce: vi.fn() }));
vi.mock("../../ui/speech", () => ({ speak: vi.fn(), hush: vi.fn() }));

const CASE = `VE_${"A2".repeat(13)}`;
const changed = (part: Partial<VerificationChanged> = {}): VerificationChanged => ({ type: "verification.changed", case: CASE, participant: "PA_me", state: "playing", number: 1, left: 0, warning: false, outcome: null, problem: "", ...part });
const cue = (kind: VerificationCue["cue"], part: Partial<VerificationCue> = {}): VerificationCue => ({ type: "verification.cue", case: CASE, cue: kind, within_s: 0, action: "", number: 0, of: 0, left: 0, colour: "", wait_s: 0, fade_s: 0, reasons: [], ...part });
const agreed = (decision: ConsentDecision): ServerBody => ({ type: "consent.changed", consent: { participant: "PA_c", scope: "face", decision, decided_at: "" } });

const root = document.createElement("div");
let sent: ClientBody[];
let live: LiveVerification;

function Page({ call }: { call: FakeCall }) {
  return call.me.value?.role === "customer" ? isVerified(call) ? <Verify /> : null : <VerificationPanel />;
}

function show(me: ParticipantView, others: ParticipantView[] = []): FakeCall {
  sent = [];
  live = new LiveVerification((body) => void sent.push(body));
  const call: FakeCall = { ...fakeCall({ me, others, consents: [], devices: fakeDevices({ preview: null }) }), verification: live };
  act(() => render(<CallUiContext.Provider value={{ call, open: signal({ kind: "none" }) } as unknown as CallUi}><Page call={call} /></CallUiContext.Provider>, root));
  return call;
}

const asCustomer = () => show(person("PA_me", "customer", "C"));
const asAgent = (...others: ParticipantView[]) => show(person("PA_me", "agent", "A"), others);
const tell = (...bodies: ServerBody[]) => act(() => bodies.forEach((body) => live.handle(body, "PA_me")));
const button = (name: string) => [...root.querySelectorAll("button")].find((one) => (one.ariaLabel ?? one.textContent)?.trim() === name);
const press = (name: string) => act(() => button(name)?.click());
const face = () => root.querySelector<HTMLElement>(".verify");

beforeEach(() => {
  language.value = "en";
  document.body.append(root);
  vi.mocked(announce).mockClear();
  vi.mocked(speak).mockClear();
});

afterEach(() => {
  act(() => render(null, root));
  root.remove();
  vi.useRealTimers();
});

it("fills the page of the person whose attempt it is, with one thing to do, shown and said", () => {
  asCustomer();
  expect(root.textContent).toBe("");
  tell(changed({ participant: "PA_other" }));
  expect(root.textContent).toBe("");
  tell(changed({ warning: true }), cue("settle", { within_s: 12 }));
  expect(root.textContent).toContain(t("verify.settle"));
  expect(root.textContent).toContain(t("verify.warning"));
  tell(cue("colour", { colour: "#102030" }), cue("ask", { action: "turn_left", number: 1, of: 3, within_s: 8 }));
  expect(root.textContent).not.toContain(t("verify.warning"));
  expect(root.querySelector(".verify-instruction")?.textContent).toBe("Turn your head to the left");
  expect(root.textContent).toContain("2 of 3");
  expect([vi.mocked(announce).mock.lastCall, vi.mocked(speak).mock.lastCall]).toEqual([["Turn your head to the left"], ["Turn your head to the left"]]);
  tell(cue("slipped", { left: 1 }));
  expect(announce).toHaveBeenLastCalledWith(`Turn your head to the left ${t("verify.slipped")}`);
});

it("lets them say that they cannot, while something is asked, and asks once before it stops", () => {
  asCustomer();
  tell(changed(), cue("settle", { within_s: 12 }));
  press(t("verify.cannot"));
  expect(sent).toEqual([]);
  tell(cue("ask", { action: "nod", of: 1, within_s: 8 }));
  press(t("verify.cannot"));
  expect(sent).toEqual([{ type: "verification.cannot" }]);
  press(t("verify.stop"));
  press(t("verify.stop.no"));
  expect(sent).toHaveLength(1);
  press(t("verify.stop"));
  press(t("verify.stop.yes"));
  expect(sent.at(-1)).toEqual({ type: "verification.stop" });
});

it("lights the screen as it is told, faded, and not back before its time, also when it is over", () => {
  vi.useFakeTimers();
  asCustomer();
  tell(changed(), cue("colour", { colour: "#ffff00", fade_s: 0.3 }));
  const lit = () => [face()?.style.backgroundColor, face()?.classList.contains("is-bright")];
  expect(lit()).toEqual(["#ffff00", true]);
  expect(face()?.style.transition).toContain("0.3s");
  tell(cue("colour", { wait_s: 0.7, fade_s: 0.3 }), changed({ state: "over", outcome: "accept" }));
  act(() => void vi.advanceTimersByTime(999)); // the second is the page's own to keep, whatever it is told
  expect(lit()).toEqual(["#ffff00", true]);
  act(() => void vi.advanceTimersByTime(1));
  expect(lit()).toEqual(["", false]);
});

it("tells calmly how it went and what can be done, and goes when that was read", () => {
  asCustomer();
  const says = (part: Partial<VerificationChanged>): string => {
    tell(changed({ state: "over", ...part }));
    return root.querySelector(".verify-result")?.textContent ?? "";
  };
  expect(says({ outcome: "accept" })).toContain(t("verify.over.accept.title"));
  expect(says({ outcome: "refer" })).toContain(t("verify.over.refer.title"));
  expect(says({ outcome: "reject", left: 2 })).toContain("2 attempts left");
  expect(says({ outcome: "reject" })).toContain(t("verify.left.none"));
  expect(says({ number: 0, problem: "camera_off" })).toContain(t("verify.problem.camera_off"));
  expect(says({ number: 0, problem: "verification_busy" })).toContain(t("verify.problem.unavailable"));
  expect(says({ number: 2, problem: "a_new_code" })).toContain(t("verify.broken.title"));
  press(t("verify.done"));
  expect(root.textContent).toBe("");
});

it("says of a picture that stopped, and of what failed on our side, what it was, not that somebody was not confirmed", () => {
  asCustomer();
  const brief = (reasons: string[], id = CASE): CaseBrief => ({ case: id, type: "limit_change", title: { zh: "限额", en: "Limit" }, state: "open", attempts_left: 1, attempts_used: 1, expires_at: "2030-01-01T10:00:00Z", steps: ["face"], without_face: true, retention_days: 30, return_url: "", reasons });
  const says = (left: number, ...cases: CaseBrief[]): string => {
    tell({ type: "verification.cases", cases }, changed({ state: "over", outcome: "reject", left }));
    return root.querySelector(".verify-result")?.textContent ?? "";
  };
  const title = t("verify.over.reject.title");
  for (const [code, what, left, line] of [
    ["stream_gap", t("verify.over.paused.title"), 1, t("verify.over.paused.again")],
    ["stream_gap", t("verify.over.paused.title"), 0, t("verify.left.none")],
    ["trouble", t("self.result.by.trouble"), 1, t("verify.over.paused.again")],
    ["trouble", t("self.result.by.trouble"), 0, t("verify.left.none")],
  ] as const) {
    const text = says(left, brief([code]));
    expect([text.includes(what), text.includes(line), text.includes(title)]).toEqual([true, true, false]);
    expect(vi.mocked(announce).mock.lastCall?.[0]).toContain(line);
  }
  expect(says(1, brief([]), brief(["stream_gap"], `VE_${"B3".repeat(13)}`))).toContain(title);
  tell({ type: "verification.cases", cases: [brief(["stream_gap"])] }); // known a moment later
  expect(root.querySelector(".verify-result")?.textContent).not.toContain(title);
});

it("says that it waits for room, once, and gives the page to the check when there is", () => {
  asCustomer();
  const full = changed({ state: "over", number: 0, problem: "attempts_busy" });
  tell(full);
  tell({ ...full });
  expect(root.textContent).toContain(t("verify.no_room.title"));
  expect(vi.mocked(announce).mock.calls.filter(([text]) => text.includes(t("verify.no_room.title")))).toHaveLength(1);
  press(t("verify.done"));
  tell({ ...full });
  expect(root.textContent).toBe("");
  tell(changed(), cue("settle", { within_s: 12 }));
  expect(root.textContent).toContain(t("verify.settle"));
});

it("waits for room at the staff's page, until it begins or they would rather not", () => {
  vi.useFakeTimers();
  asAgent(person("PA_c", "customer", "C"));
  const full = changed({ participant: "PA_c", state: "over", number: 0, problem: "attempts_busy" });
  act(() => live.begin(CASE, "PA_c"));
  tell(full);
  expect(root.textContent).toContain(t("staff.verify.no_room.text"));
  expect(button(t("staff.verify.begin"))).toBeUndefined();
  act(() => void vi.advanceTimersByTime(6_000));
  expect(sent).toHaveLength(2);
  tell({ ...full });
  press(t("staff.verify.no_room.stop"));
  expect(root.textContent).toContain(t("staff.verify.problem.attempts_busy"));
  expect(button(t("staff.verify.begin"))).toBeDefined();
  act(() => void vi.advanceTimersByTime(60_000));
  expect(sent).toHaveLength(2);
});

it("asks for the consent that was missing, and takes either answer", () => {
  const call = asCustomer();
  for (const [answer, decision] of [["consent.no", "refused"], ["consent.yes", "given"]] as const) {
    tell(changed({ state: "over", number: 0, problem: "not_allowed" }));
    expect(root.textContent).toContain(t("consent.face.title"));
    press(t(answer));
    expect([call.consents.value.get("face"), root.textContent]).toEqual([decision, ""]);
  }
});

it("begins for staff only with a case, a customer, a camera and consent", () => {
  asAgent();
  expect(root.textContent).toContain(t("staff.verify.why.nobody"));
  asAgent(person("PA_c", "customer", "C", ["microphone"]));
  expect(root.textContent).toContain(t("staff.verify.why.camera"));
  asAgent(person("PA_c", "customer", "C"));
  expect(root.textContent).toContain(t("staff.verify.why.consent"));
  expect(button(t("staff.verify.begin"))?.disabled).toBe(true);
  tell(agreed("given"));
  const begin = () => act(() => void root.querySelector("form")?.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true })));
  begin();
  expect([sent, root.textContent?.includes(t("staff.verify.case.wrong"))]).toEqual([[], true]);
  const field = root.querySelector("input");
  if (field === null) throw new Error("no field");
  act(() => {
    field.value = ` ${CASE.toLowerCase()} `;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
  begin();
  expect(sent).toEqual([{ type: "verification.begin", case: CASE, participant: "PA_c" }]);
});

it("takes nobody for the customer where several are here, and says whose camera is checked", () => {
  asAgent(person("PA_c", "customer", "Lin"), person("PA_d", "customer", "Ma"));
  tell(agreed("given"));
  const select = () => {
    const found = root.querySelector("select");
    if (found === null) throw new Error("no choice");
    return found;
  };
  expect([select().value, root.textContent?.includes(t("staff.verify.why.who")), button(t("staff.verify.begin"))?.disabled]).toEqual(["", true, true]);
  act(() => {
    select().value = "PA_c";
    select().dispatchEvent(new Event("change", { bubbles: true }));
  });
  expect(button(t("staff.verify.begin"))?.disabled).toBe(false);
  expect([...select().options].map(({ textContent }) => textContent)).toEqual(["Lin", "Ma"]);
  tell(changed({ participant: "PA_d" }));
  expect(root.querySelector(".verification-panel [role=status]")?.textContent).toContain("Ma");
});

it("shows staff how it goes, and stops it", () => {
  asAgent(person("PA_c", "customer", "C"));
  tell(changed({ participant: "PA_c", number: 2 }));
  expect(root.textContent).toContain("Running: attempt 2");
  press(t("staff.verify.stop"));
  expect(sent).toEqual([{ type: "verification.stop" }]);
  tell(changed({ participant: "PA_c", state: "over", outcome: "reject", left: 1 }));
  expect(root.textContent).toContain("1 attempt left");
  tell(changed({ participant: "PA_c", state: "over", number: 0, problem: "not_allowed" }));
  expect(root.textContent).toContain(t("staff.verify.problem.not_allowed"));
  act(() => void live.turnedDown("not_found", { type: "verification.begin", case: CASE, participant: "PA_c" }));
  expect(root.textContent).toContain(t("staff.verify.problem.not_found"));
});

it("knows on which ground dark ink is read", () => {
  expect(["#ffffff", "#00ff00", "#f4e9c8", "#ff0000", "#0000ff", "#000000", ""].map(isBright)).toEqual([true, true, true, true, false, false, false]);
});

it("is not left by the browser's Back unasked, nor ended by the question", () => {
  const call = fakeCall({ others: [], consents: [], devices: fakeDevices({ preview: null }), verification: [changed({ warning: false }), cue("ask", { action: "nod", number: 0, of: 2, within_s: 8 })] });
  act(() => render(<CallView call={call} variant="customer" />, root));
  expect(face()?.textContent).toContain("Nod your head");
  act(() => {
    history.replaceState(null, "");
    dispatchEvent(new PopStateEvent("popstate"));
  });
  expect(root.querySelector('[role="alertdialog"]')?.textContent).toContain(t("leave.title.customer"));
  expect(face()?.textContent).toContain("Nod your head");
  press(t("end.no"));
  expect(root.querySelector('[role="alertdialog"]')).toBeNull();
});

it("says that the line is cut, and that nobody could be had", () => {
  const call = asCustomer();
  tell(changed({ warning: false }), cue("ask", { action: "nod", number: 0, of: 2, within_s: 8 }));
  act(() => void (call.phase.value = "reconnecting"));
  expect(root.querySelector(".verify-hint")?.textContent).toContain(t("verify.offline"));
  act(() => {
    call.phase.value = "live";
    live.callPerson("help");
    live.turnedDown("no_staff", { type: "verification.agent", reason: "help" });
  });
  expect(root.querySelector(".verify-hint")?.textContent).toBe(t("self.person.nobody"));
  expect(announce).toHaveBeenLastCalledWith(t("self.person.nobody"));
});

it("takes the colours away for whoever wants none, once", () => {
  asCustomer();
  tell(changed({ warning: true }), cue("settle"));
  press(t("verify.no_light"));
  expect(sent).toEqual([{ type: "verification.cannot", light: true }]);
  expect(button(t("verify.no_light"))).toBeUndefined();
});
