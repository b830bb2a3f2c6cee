/** Who asks for a person is asked what that person may see and hear, whatever order the server's messages come in and whenever the page draws between them. */
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CaseBrief, ConsentDecision, ConsentScope } from "../../protocol.gen";
import { LiveVerification } from "../../core/verification";
import { language, t } from "../../i18n";
import { fakeApi, fakeCall, fakeDevices, person, preview, session } from "../../stories/fakes";
import type { FakeCall } from "../../stories/fakes";
import { CustomerApp } from "./App";
import { keepStep, keptStep } from "./kept";

vi.mock("../../stories/face", () => ({ faceStream: () => null, screenStream: () => null, drawFace: () => undefined }));
vi.mock("../../ui/announce", () => ({ announce: vi.fn(), Announcer: () => null }));
vi.mock("../../ui/speech", () => ({ speak: vi.fn(), hush: vi.fn() }));

const CASE = `VE_${"A2".repeat(13)}`;
const SECRET = "x7Qk2mVd9TzLr4WbYc8NsA";
const BRIEF: CaseBrief = { case: CASE, type: "change_phone", title: { zh: "更换手机号", en: "Change of telephone" }, state: "open", attempts_left: 3, attempts_used: 0, expires_at: "2030-01-01T10:30:00Z", steps: ["face", "light"], without_face: true, retention_days: 1825, return_url: "", reasons: [] };
const AGENT = person("PA_a", "agent", "Jing");

const root = document.createElement("div");
let live: LiveVerification;
let call: FakeCall;

function make(consents: [ConsentScope, ConsentDecision][], status: "open" | "waiting"): void {
  live = new LiveVerification(() => undefined);
  const devices = fakeDevices({ preview: null, cameraOn: false, microphoneOn: false });
  call = { ...fakeCall({ others: [], consents, devices, session: session({ kind: "verification", status }) }), verification: live, setCamera: async () => undefined };
}

/** One message, and what follows from it; `drawn`: the page is drawn, and what it does after drawing has not been done. */
type Told = () => void;
const SAY = {
  waits: () => {
    call.session.value = session({ kind: "verification", status: "waiting" });
    call.phase.value = "waiting";
  },
  queue: () => void (call.queue.value = { position: 1, estimatedWaitS: null }),
  cases: () => void live.handle({ type: "verification.cases", cases: [BRIEF] }, "PA_me"),
  taken: () => {
    call.session.value = session({ kind: "verification", status: "open" });
    call.phase.value = "live";
    call.queue.value = null;
  },
  agent: () => void (call.others.value = [AGENT]),
  gone: () => void (call.others.value = []),
} satisfies Record<string, Told>;
type Word = keyof typeof SAY;

async function microtasks(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

/** Until what was put off until after a drawing has been done, and what follows from it. */
async function drawn(): Promise<void> {
  for (let round = 0; round < 4; round += 1) {
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    await act(microtasks);
  }
}

/** `after`: whether the page may do what follows from each drawing before the next message comes. */
async function hears(words: readonly Word[], after: "each" | "all" | "none"): Promise<void> {
  if (after === "none") await act(async () => words.forEach((word) => SAY[word]()));
  for (const word of after === "none" ? [] : words) {
    if (after === "each") await act(async () => SAY[word]());
    else SAY[word]();
    await microtasks();
  }
  await drawn();
}

async function open(resumed: boolean): Promise<void> {
  const api = { ...fakeApi(), inspect: async () => preview({ verification: BRIEF, language: "en" }), redeem: async () => call, resumeCall: () => (resumed ? call : null) };
  await act(async () => {
    render(<CustomerApp api={api} secret={SECRET} />, root);
    await microtasks();
  });
  await act(microtasks);
}

async function press(name: string): Promise<void> {
  await act(async () => {
    [...root.querySelectorAll<HTMLElement>("button")].find((one) => one.textContent?.trim() === name)?.click();
    await microtasks();
  });
  await act(microtasks);
}

const heading = () => root.querySelector("h1")?.textContent;

/** Every order of what is said when an agent takes somebody who waits; those of `cases` and `queue` are free. */
const ORDERS: readonly (readonly Word[])[] = [
  ["cases", "queue", "taken", "agent"],
  ["queue", "cases", "taken", "agent"],
  ["queue", "taken", "cases", "agent"],
  ["queue", "taken", "agent", "cases"],
  ["queue", "agent", "taken", "cases"],
  ["queue", "agent", "cases", "taken"],
  ["cases", "agent", "taken", "queue"],
  ["cases", "taken", "agent", "gone", "agent"],
  ["cases", "taken", "agent", "gone", "waits", "queue", "taken", "agent"],
];

beforeEach(() => {
  language.value = "en";
  sessionStorage.clear();
  localStorage.setItem("tp.language", "en");
  document.body.append(root);
});

afterEach(() => {
  act(() => render(null, root));
  root.remove();
});

describe("who asks for a person", () => {
  for (const after of ["each", "all", "none"] as const) {
    for (const order of ORDERS) {
      it(`is asked after a reload: ${order.join(", ")} (${after})`, async () => {
        make([["face", "refused"]], "waiting");
        keepStep("call");
        await open(true);
        await hears(["waits"], after);
        await hears(order, after);
        expect(heading()).toBe(t("consents.title"));
        expect(root.textContent).toContain(t("consent.microphone.title"));
        expect(keptStep()).toBe("consents");
      });

      it(`is asked without one, and the camera of the check is off until then: ${order.join(", ")} (${after})`, async () => {
        make([["face", "given"], ["camera", "given"], ["microphone", "given"]], "open");
        await open(false);
        await press(t("start"));
        await hears(["cases", "waits"], after);
        expect(call.consents.value.get("camera")).toBe("withdrawn");
        await hears(order, after);
        expect(heading()).toBe(t("consents.title"));
      });
    }
  }

  it("is asked once, and not again after a reload nor when the agent comes back", async () => {
    make([["face", "refused"]], "waiting");
    keepStep("call");
    await open(true);
    await hears(["waits", "cases", "taken", "agent"], "all");
    await press(t("consent.yes"));
    await press(t("consent.yes"));
    expect([heading() === t("consents.title"), keptStep(), call.consents.value.get("camera")]).toEqual([false, "call", "given"]);
    await hears(["gone", "agent"], "all");
    expect([keptStep(), call.consents.value.get("camera")]).toEqual(["call", "given"]);
    act(() => render(null, root));
    await open(true);
    expect([heading() === t("consents.title"), keptStep(), call.consents.value.get("camera")]).toEqual([false, "call", "given"]);
  });
});
