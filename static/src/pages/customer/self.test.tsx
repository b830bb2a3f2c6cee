import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { ClientBody, CaseBrief, ConsentDecision, ConsentScope, ServerBody, VerificationChanged, VerificationCue } from "../../protocol.gen";
import { LiveVerification } from "../../core/verification";
import { language, t } from "../../i18n";
import { fakeApi, fakeCall, fakeDevices, person, preview, session } from "../../stories/fakes";
import type { FakeCall } from "../../stories/fakes";
import { announce } from "../../ui/announce";
import { loadCall } from "../session/CallPlace";
import { CustomerApp } from "./App";
import { forgetOther, keepLink, keepReturn, keepStep, keptReturn, keptStep } from "./kept";

vi.mock("../../stories/face", () => ({ faceStream: () => null, screenStream: () => null, drawFace: () => undefined }));
vi.mock("../../ui/announce", () => ({ announce: vi.fn(), Announcer: () => null }));
vi.mock("../../ui/speech", () => ({ speak: vi.fn(), hush: vi.fn() }));

const CASE = `VE_${"A2".repeat(13)}`;
const SECRET = "x7Qk2mVd9TzLr4WbYc8NsA";
const brief = (change: Partial<CaseBrief> = {}): CaseBrief => ({ case: CASE, type: "change_phone", title: { zh: "更换手机号", en: "Change of telephone" }, state: "open", attempts_left: 3, attempts_used: 0, expires_at: "2030-01-01T10:30:00Z", steps: ["face", "light"], without_face: true, retention_days: 1825, return_url: "https://bank.example/81", reasons: [], ...change });
const cases = (change: Partial<CaseBrief> = {}): ServerBody => ({ type: "verification.cases", cases: [brief(change)] });
const changed = (part: Partial<VerificationChanged> = {}): VerificationChanged => ({ type: "verification.changed", case: CASE, participant: "PA_me", state: "playing", number: 1, left: 2, warning: true, outcome: null, problem: "", ...part });
const cue = (kind: VerificationCue["cue"], part: Partial<VerificationCue> = {}): VerificationCue => ({ type: "verification.cue", case: CASE, cue: kind, within_s: 0, action: "", number: 0, of: 0, left: 0, colour: "", wait_s: 0, fade_s: 0, reasons: [], ...part });

const root = document.createElement("div");
let sent: ClientBody[];
let decided: [ConsentScope, ConsentDecision, string][];
let live: LiveVerification;
let call: FakeCall;

/** Does it, and lets what follows from it follow. */
async function acts(work: () => unknown): Promise<void> {
  await act(async () => {
    work();
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  });
}

/** A page that comes by the bank's link; the call is one's own to tell things. */
function make(consents: [ConsentScope, ConsentDecision][] = []): FakeCall {
  sent = [];
  decided = [];
  live = new LiveVerification((body) => void sent.push(body));
  const devices = fakeDevices({ preview: null, cameraOn: false, microphoneOn: false });
  devices.setCamera = async (on) => {
    devices.cameraOn.value = on && devices.cameraProblem.value === null;
    devices.preview.value = devices.cameraOn.value ? new MediaStream() : null;
  };
  call = { ...fakeCall({ others: [], consents, devices, session: session({ kind: "verification" }) }), verification: live, setCamera: (on) => devices.setCamera(on) };
  const decide = call.decide;
  call.decide = (scope, decision, wording) => {
    decided.push([scope, decision, wording]);
    decide(scope, decision, wording);
  };
  return call;
}

async function open(secret: string | null = SECRET, change: Partial<Parameters<typeof preview>[0]> = {}, resumed: FakeCall | null = null): Promise<void> {
  const api = { ...fakeApi(), inspect: async () => preview({ verification: brief(), language: "en", ...change }), redeem: async () => call, resumeCall: () => resumed };
  await acts(() => render(<CustomerApp api={api} secret={secret} />, root));
}

const tell = (...bodies: ServerBody[]) => act(() => bodies.forEach((body) => live.handle(body, "PA_me")));
const buttons = () => [...root.querySelectorAll<HTMLElement>("button, a.button")];
const press = (name: string) => acts(() => buttons().find((one) => one.textContent?.trim() === name)?.click());
const heading = () => root.querySelector("h1")?.textContent;

beforeAll(loadCall);

beforeEach(() => {
  language.value = "en";
  sessionStorage.clear();
  localStorage.setItem("tp.language", "en");
  document.body.append(root);
  vi.mocked(announce).mockClear();
  make();
});

afterEach(() => {
  act(() => render(null, root));
  root.remove();
});

describe("a customer's own check", () => {
  it("goes from the link over two questions to the check, and from there back to the bank", async () => {
    await open();
    expect(heading()).toBe(t("self.arrive.title"));
    expect(root.textContent).toContain("Change of telephone");
    await press(t("start"));
    expect(root.textContent).toContain(t("self.preparing"));
    tell(cases());
    expect(heading()).toBe(t("consent.self_face.title"));
    await press(t("consent.yes"));
    expect(heading()).toBe(t("consent.self_camera.title"));
    await press(t("consent.yes"));
    expect(heading()).toBe(t("self.ready.title"));
    expect(decided).toEqual([
      ["face", "given", "self-face-3"],
      ["camera", "given", "self-camera-1"],
    ]);
    expect(call.devices.microphoneOn.value).toBe(false);
    await press(t("self.ready.go"));
    expect(sent).toEqual([{ type: "verification.begin", case: CASE, participant: "PA_me" }]);
    tell(changed(), cue("settle", { within_s: 12 }), cue("advise", { reasons: ["no_face"] }));
    expect(root.querySelector(".verify-instruction")?.textContent).toBe(t("verify.settle"));
    expect(announce).toHaveBeenLastCalledWith(`${t("verify.settle")} ${t("verify.advice.no_face")}`);
    tell(cases({ state: "accepted" }), changed({ state: "over", outcome: "accept" }));
    expect(heading()).toBe(t("self.result.accepted"));
    expect(root.querySelector<HTMLAnchorElement>("a.button")?.href).toBe("https://bank.example/81");
    expect(call.devices.cameraOn.value).toBe(false);
    await acts(() => call.leave());
    expect(heading()).toBe(t("self.result.accepted")); // the server ends the session by itself; what was read stays
  });

  it("begins without coloured light, and takes it away in the middle", async () => {
    make([["face", "given"], ["camera", "given"]]);
    await open();
    await press(t("start"));
    tell(cases());
    await acts(() => call.setCamera(true));
    await press(t("self.ready.dark"));
    expect(sent).toEqual([{ type: "verification.begin", case: CASE, participant: "PA_me", light: false }]);
    tell(changed(), cue("settle"));
    await press(t("verify.no_light"));
    expect(sent.at(-1)).toEqual({ type: "verification.cannot", light: true });
    expect(buttons().some((one) => one.textContent?.trim() === t("verify.no_light"))).toBe(false);
  });

  it("waits for room, begins by itself, and lets nobody wait who would rather not", async () => {
    make([["face", "given"], ["camera", "given"]]);
    await open();
    await press(t("start"));
    tell(cases());
    await acts(() => call.setCamera(true));
    await press(t("self.ready.go"));
    const full = changed({ state: "over", number: 0, problem: "attempts_busy" });
    tell(full);
    expect(heading()).toBe(t("self.room.title"));
    expect(announce).toHaveBeenLastCalledWith(`${t("self.room.title")} ${t("self.room.text")}`);
    expect(buttons().map((one) => one.textContent?.trim())).toContain(t("self.person"));
    tell({ ...full });
    expect([heading(), call.devices.cameraOn.value]).toEqual([t("self.room.title"), true]);
    await press(t("self.room.stop"));
    expect([heading(), live.waiting.value]).toEqual([t("self.ready.title"), false]);
    await press(t("self.ready.go"));
    tell({ ...full });
    tell(changed(), cue("settle", { within_s: 12 }));
    expect(root.querySelector(".verify-instruction")?.textContent).toBe(t("verify.settle"));
  });

  it("lets the light go in its own time before it says how it went", async () => {
    vi.useFakeTimers();
    make([["face", "given"], ["camera", "given"]]);
    await open();
    await press(t("start"));
    await acts(() => call.setCamera(true));
    tell(cases(), changed(), cue("colour", { colour: "#3070ff" }));
    tell(cue("colour", { wait_s: 0, fade_s: 0.3 }), cases({ state: "accepted" }), changed({ state: "over", outcome: "accept" }));
    expect(root.querySelector<HTMLElement>(".verify")?.style.backgroundColor).toBe("#3070ff");
    act(() => void vi.advanceTimersByTime(1_000));
    expect(heading()).toBe(t("self.result.accepted"));
    vi.useRealTimers();
  });

  it("tries again where it may, with what helps and how often", async () => {
    make([["face", "given"], ["camera", "given"]]);
    await open();
    await press(t("start"));
    await acts(() => call.setCamera(true));
    tell(cases({ attempts_left: 1, attempts_used: 2 }), changed({ state: "over", outcome: "reject", left: 1 }));
    expect(root.textContent).toContain("1 attempt is left.");
    expect(root.textContent).toContain(t("self.result.helps.light"));
    await press(t("self.result.again.go"));
    expect(heading()).toBe(t("self.ready.title"));
  });

  it("says what kept it from beginning, where the page knows", async () => {
    make([["face", "given"], ["camera", "given"]]);
    await open();
    await press(t("start"));
    await acts(() => call.setCamera(true));
    tell(cases({ attempts_left: 2 }), changed(), cue("settle", { within_s: 12 }), cue("advise", { reasons: ["no_face"] }));
    tell(changed({ state: "over", outcome: "reject", left: 2 }));
    expect(root.textContent).toContain(t("self.result.unseen"));
    expect(root.querySelector("li strong")?.textContent).toBe(t("verify.advice.no_face"));
  });

  it("has another way for who says no, and asks once more only when they want it", async () => {
    await open();
    await press(t("start"));
    tell(cases());
    await press(t("consent.no"));
    expect(heading()).toBe(t("self.declined.title"));
    await press(t("self.declined.again"));
    expect(heading()).toBe(t("consent.self_face.title"));
    await press(t("consent.no"));
    await press(t("self.person.yes"));
    expect(sent).toEqual([{ type: "verification.agent", reason: "declined" }]);
    act(() => void live.turnedDown("no_staff", { type: "verification.agent", reason: "declined" }));
    expect(root.querySelector('[role="alert"]')?.textContent).toContain(t("self.person.nobody"));
  });

  it("asks before it brings a person, also out of the check, and shows them nobody's camera unasked", async () => {
    make([["face", "given"], ["camera", "given"]]);
    await open();
    await press(t("start"));
    tell(cases());
    await acts(() => call.setCamera(true));
    tell(changed(), cue("ask", { action: "nod", number: 0, of: 2, within_s: 8 }));
    await acts(() => root.querySelector<HTMLElement>(`[aria-label^="${t("self.person.short")}"]`)?.click());
    expect(root.querySelector('[role="alertdialog"]')?.textContent).toContain(t("self.person.text.playing"));
    await press(t("self.person.yes"));
    expect(sent).toEqual([{ type: "verification.agent", reason: "help" }]);
    await acts(() => {
      call.phase.value = "waiting";
      call.session.value = session({ kind: "verification", status: "waiting" });
      live.handle({ type: "session.changed", session: call.session.value }, "PA_me");
      live.handle(changed({ state: "over", problem: "attempt_ended" }), "PA_me");
    });
    expect(heading()).toBe(t("wait.title"));
    expect(decided.at(-1)).toEqual(["camera", "withdrawn", "self-camera-1"]);
    expect(call.devices.cameraOn.value).toBe(false);
    expect(live.closed.value).toBe(true);
    await press(t("self.wait.alone"));
    expect(sent.at(-1)).toEqual({ type: "verification.agent", reason: "help", wanted: false });
    await acts(() => {
      call.phase.value = "live";
      call.session.value = session({ kind: "verification" });
      call.others.value = [person("PA_a", "agent", "Jing")];
    });
    expect(root.querySelector(".consent h2")?.textContent).toBe(t("consent.microphone.title"));
    await press(t("consent.no"));
    await press(t("consent.yes"));
    expect(decided.slice(-2)).toEqual([
      ["microphone", "refused", "microphone-2"],
      ["camera", "given", "camera-2"],
    ]);
    expect(call.devices.cameraOn.value).toBe(true);
    expect(root.querySelector(".call")).not.toBeNull();
    await acts(() => (call.others.value = []));
    expect(heading()).toBe(t("self.ready.title")); // what was broken off has been left behind
  });

  it.each(["denied", "none", "busy", "insecure", "unsupported", "failed"] as const)("helps when the camera is %s, and goes on when it comes", async (problem) => {
    make([["face", "given"], ["camera", "given"]]);
    await open();
    await press(t("start"));
    call.devices.cameraProblem.value = problem;
    tell(cases());
    expect(heading()).toBe(t(`device.camera.${problem}`));
    call.devices.cameraProblem.value = null;
    await press(t(problem === "denied" ? "denied.retry" : "retry"));
    expect(heading()).toBe(t("self.ready.title"));
  });

  it("comes back to where it was after a reload, and to a new link's start when the bank sends another", async () => {
    make([["face", "given"]]);
    await open();
    await press(t("start"));
    act(() => render(null, root));
    const resumed = make([["face", "given"]]);
    await open(SECRET, {}, resumed);
    tell(cases());
    expect(heading()).toBe(t("consent.self_camera.title"));
    act(() => render(null, root));
    sessionStorage.setItem("tongping.place", "{}");
    await open("another8NsAx7Qk2mVd9Tz");
    expect(sessionStorage.getItem("tongping.place")).toBeNull();
    expect(heading()).toBe(t("self.arrive.title"));
  });

  it("asks before the browser's Back leaves, and leaves nothing to ask at the end", async () => {
    await open();
    await press(t("start"));
    tell(cases());
    await acts(() => {
      history.replaceState(null, "");
      dispatchEvent(new PopStateEvent("popstate"));
    });
    expect(root.querySelector('[role="alertdialog"]')?.textContent).toContain(t("self.leave.title"));
    await press(t("leave.yes"));
    expect(heading()).toBe(t("self.left.title"));
    expect(root.querySelector<HTMLAnchorElement>("a.button")?.href).toBe("https://bank.example/81");
  });

  it("says what a case that is over has come to, without a way in", async () => {
    await open(SECRET, { verification: brief({ state: "expired" }) });
    expect(heading()).toBe(t("self.result.expired"));
    expect(buttons().map((one) => one.textContent?.trim())).toContain(t("self.back"));
    expect(buttons().map((one) => one.textContent?.trim())).not.toContain(t("start"));
  });

  it("speaks the language that is chosen in the middle of it", async () => {
    make([["face", "given"], ["camera", "given"]]);
    await open();
    await press(t("start"));
    tell(cases(), changed({ warning: false }), cue("ask", { action: "nod", number: 0, of: 2, within_s: 8 }));
    await press("中文");
    expect(root.querySelector(".verify-instruction")?.textContent).toBe("请点点头");
    expect(announce).toHaveBeenLastCalledWith("请点点头");
  });

  it("leads through a document", async () => {
    make([["face", "given"], ["camera", "given"], ["document", "given"]]);
    await open();
    await press(t("start"));
    tell(cases({ steps: ["face", "document"] }), changed({ warning: false }), cue("document", { action: "show_card", within_s: 60, reasons: ["document_glare"] }));
    expect(root.textContent).toContain(t("verify.document.show_card"));
    expect(root.textContent).toContain(t("verify.advice.document_glare"));
    const since = live.asked.value?.sinceMs;
    tell(cue("document", { action: "hold_still", within_s: 60 }));
    expect(root.textContent).toContain(t("verify.document.hold_still"));
    expect(live.asked.value?.sinceMs).toBe(since);
    await press(t("verify.no_document"));
    expect(sent.at(-1)).toEqual({ type: "verification.cannot" });
    await press(t("verify.turn_camera"));
    expect(call.devices.facing.value).toBe("environment");
  });
});

describe("what a tab remembers", () => {
  it("is put away when another link comes, and not by the same one, a code or none", () => {
    keepStep("verify");
    keepLink(SECRET);
    keepReturn("https://bank.example/");
    forgetOther(SECRET);
    forgetOther(null);
    expect([keptStep(), keptReturn()]).toEqual(["verify", "https://bank.example/"]);
    expect(JSON.stringify({ ...sessionStorage })).not.toContain(SECRET);
    forgetOther(`y${SECRET.slice(1)}`);
    expect([keptStep(), keptReturn()]).toEqual(["call", ""]);
  });

  it("is a step that there is", () => {
    sessionStorage.setItem("tp.step", "nonsense");
    expect(keptStep()).toBe("call");
  });
});
