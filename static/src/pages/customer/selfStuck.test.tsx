/** Where a customer who is alone would come to a stop: a browser without cameras, a small camera, a locked telephone, a time that runs out in the line. */
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CaseBrief, ServerBody, VerificationChanged } from "../../protocol.gen";
import { LiveVerification } from "../../core/verification";
import { language, t } from "../../i18n";
import { fakeApi, fakeCall, fakeDevices, preview, session } from "../../stories/fakes";
import type { FakeCall } from "../../stories/fakes";
import { CustomerApp } from "./App";
import { isSmall } from "./SelfCamera";

vi.mock("../../stories/face", () => ({ faceStream: () => null, screenStream: () => null, drawFace: () => undefined }));
vi.mock("../../ui/announce", () => ({ announce: vi.fn(), Announcer: () => null }));
vi.mock("../../ui/speech", () => ({ speak: vi.fn(), hush: vi.fn() }));

const CASE = `VE_${"A2".repeat(13)}`;
const brief = (change: Partial<CaseBrief> = {}): CaseBrief => ({ case: CASE, type: "change_phone", title: { zh: "更换手机号", en: "Change of telephone" }, state: "open", attempts_left: 3, attempts_used: 0, expires_at: "2030-01-01T10:30:00Z", steps: ["face"], without_face: true, retention_days: 1825, return_url: "https://bank.example/81", reasons: [], ...change });
const cases = (change: Partial<CaseBrief> = {}): ServerBody => ({ type: "verification.cases", cases: [brief(change)] });
const changed = (part: Partial<VerificationChanged> = {}): VerificationChanged => ({ type: "verification.changed", case: CASE, participant: "PA_me", state: "playing", number: 1, left: 2, warning: true, outcome: null, problem: "", ...part });

const root = document.createElement("div");
let live: LiveVerification;
let call: FakeCall;

async function acts(work: () => unknown): Promise<void> {
  await act(async () => {
    work();
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  });
}

async function open(): Promise<void> {
  const api = { ...fakeApi(), inspect: async () => preview({ verification: brief(), language: "en" }), redeem: async () => call, resumeCall: () => null };
  await acts(() => render(<CustomerApp api={api} secret="x7Qk2mVd9TzLr4WbYc8NsA" />, root));
}

const tell = (...bodies: ServerBody[]) => act(() => bodies.forEach((body) => live.handle(body, "PA_me")));
const buttons = () => [...root.querySelectorAll<HTMLElement>("button, a.button")];
const press = (name: string) => acts(() => buttons().find((one) => one.textContent?.trim() === name)?.click());

function surroundings(secure: boolean, capable: boolean, agent = "Mozilla/5.0"): void {
  vi.stubGlobal("isSecureContext", secure);
  vi.spyOn(navigator, "userAgent", "get").mockReturnValue(agent);
  const devices = capable ? { getUserMedia: () => Promise.reject(new DOMException("", "NotFoundError")) } : undefined;
  Object.defineProperty(navigator, "mediaDevices", { configurable: true, value: devices });
}

function hide(hidden: boolean): void {
  vi.spyOn(document, "visibilityState", "get").mockReturnValue(hidden ? "hidden" : "visible");
  document.dispatchEvent(new Event("visibilitychange"));
}

beforeEach(() => {
  language.value = "en";
  sessionStorage.clear();
  localStorage.setItem("tp.language", "en");
  document.body.append(root);
  live = new LiveVerification(() => undefined);
  const devices = fakeDevices({ preview: null, cameraOn: false, microphoneOn: false });
  devices.setCamera = async (on) => {
    devices.cameraOn.value = on;
    devices.preview.value = on ? new MediaStream() : null;
  };
  call = { ...fakeCall({ others: [], consents: [["face", "given"], ["camera", "given"]], devices, session: session({ kind: "verification" }) }), verification: live, setCamera: (on) => devices.setCamera(on) };
});

afterEach(() => {
  act(() => render(null, root));
  root.remove();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  Reflect.deleteProperty(navigator, "mediaDevices");
});

describe("a browser that has no camera", () => {
  it.each([
    ["is inside another app", true, false, "Mozilla/5.0 (Linux; Android 8) MicroMessenger/7.0", "self.arrive.inside"],
    ["is too old", true, false, "Mozilla/5.0", "self.help.unsupported"],
    ["came without https", false, false, "Mozilla/5.0", "self.help.insecure"],
  ] as const)("%s: says so before the link is taken up", async (_, secure, capable, agent, words) => {
    surroundings(secure, capable, agent);
    await open();
    expect(root.textContent).toContain(t(words));
    expect(buttons().map((one) => one.textContent?.trim())).toContain(t("start"));
  });

  it("is not talked of where there is one", async () => {
    surroundings(true, true, "Mozilla/5.0 MicroMessenger/8.0");
    await open();
    for (const words of ["self.arrive.inside", "self.help.unsupported", "self.help.insecure"] as const) expect(root.textContent).not.toContain(t(words));
  });

  it("says how to leave the other app where the link was taken up all the same", async () => {
    surroundings(true, false, "Mozilla/5.0 MicroMessenger/7.0");
    await open();
    await press(t("start"));
    call.devices.cameraProblem.value = "unsupported";
    tell(cases());
    expect(root.textContent).toContain(t("self.arrive.inside"));
  });
});

describe("a small camera", () => {
  it("is one of fewer than 540 lines, whichever way up", () => {
    expect([{ width: 640, height: 480 }, { width: 480, height: 640 }].map(isSmall)).toEqual([true, true]);
    expect([{ width: 960, height: 540 }, { width: 720, height: 1280 }, {}, undefined].map(isSmall)).toEqual([false, false, false, false]);
  });

  it.each([[640, 480, true], [1280, 720, false]])("is told of before it begins: %i by %i", async (width, height, told) => {
    await open();
    await press(t("start"));
    tell(cases());
    await acts(() => {
      const stream = new MediaStream();
      const track = { muted: false, addEventListener: () => undefined, removeEventListener: () => undefined, getSettings: () => ({ width, height }) };
      stream.getVideoTracks = () => [track as unknown as MediaStreamTrack];
      call.devices.cameraOn.value = true;
      (call.devices.preview as { value: MediaStream | null }).value = stream;
    });
    expect(root.querySelector("h1")?.textContent).toBe(t("self.ready.title"));
    expect(root.textContent?.includes(t("self.ready.small"))).toBe(told);
    expect(buttons().map((one) => one.textContent?.trim())).toContain(t("self.ready.go"));
  });
});

describe("a telephone that is locked in the middle", () => {
  async function checked(between: () => void): Promise<void> {
    await open();
    await press(t("start"));
    await acts(() => call.setCamera(true));
    tell(cases(), changed());
    await acts(between);
    tell(cases({ attempts_left: 2, attempts_used: 1 }), changed({ state: "over", outcome: "reject" }));
  }

  it("is why, and is said", async () => {
    await checked(() => {
      hide(true);
      hide(false);
    });
    expect(root.textContent).toContain(t("self.result.away"));
    await press(t("self.result.again.go"));
    tell(changed({ number: 2 }));
    tell(cases({ attempts_left: 1, attempts_used: 2 }), changed({ number: 2, state: "over", outcome: "reject" }));
    expect(root.textContent, "not of the attempt before").not.toContain(t("self.result.away"));
  });

  it("is not said of who stayed", async () => {
    await checked(() => document.dispatchEvent(new Event("visibilitychange")));
    expect(root.textContent).toContain(t("self.result.helps.light"));
    expect(root.textContent).not.toContain(t("self.result.away"));
  });
});

describe("an attempt that was broken off", () => {
  it.each(["customer_gone", "camera_off", "attempt_ended", "trouble"] as const)("by %s: says so, and nothing of light and lens", async (code) => {
    await open();
    await press(t("start"));
    await acts(() => call.setCamera(true));
    tell(cases({ attempts_left: 2, attempts_used: 1, reasons: [code] }), changed({ state: "over", outcome: "reject" }));
    expect(root.textContent).toContain(t(`self.result.by.${code}`));
    expect(root.textContent).not.toContain(t("self.result.helps.light"));
    expect(buttons().map((one) => one.textContent?.trim())).toContain(t("self.result.again.go"));
  });

  it("by nothing that may be said: helps as ever", async () => {
    await open();
    await press(t("start"));
    await acts(() => call.setCamera(true));
    tell(cases({ attempts_left: 2, attempts_used: 1, reasons: ["constructor"] }), changed({ state: "over", outcome: "reject" }));
    expect(root.textContent).toContain(t("self.result.helps.light"));
  });
});

describe("waiting for a person", () => {
  async function waiting(change: Partial<CaseBrief>): Promise<void> {
    await open();
    await press(t("start"));
    tell(cases());
    await acts(() => {
      call.phase.value = "waiting";
      call.session.value = session({ kind: "verification", status: "waiting" });
    });
    tell(cases(change));
  }

  it("says until when what they have asked for stays open", async () => {
    await waiting({ expires_at: "2030-01-01T11:00:00Z" });
    expect(root.querySelector("h1")?.textContent).toBe(t("wait.title"));
    expect(root.textContent).toContain("stays open, until ");
    expect(buttons().map((one) => one.textContent?.trim())).toContain(t("self.wait.alone"));
  });

  it("says when it does no more, and lets them wait", async () => {
    await waiting({ state: "expired" });
    expect(root.querySelector("h1")?.textContent).toBe(t("wait.title"));
    expect(root.textContent).toContain(t("self.wait.late"));
    expect(buttons().map((one) => one.textContent?.trim())).not.toContain(t("self.wait.alone"));
  });
});
