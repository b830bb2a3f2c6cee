import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { HandoverNow, RemoteTrack } from "../../core/model";
import { language } from "../../i18n";
import { fakeCall, fakeDevices, person } from "../../stories/fakes";
import type { FakeCall } from "../../stories/fakes";
import { keptWords } from "./AgentLost";
import { canHandOver, handoverWords, succession, talkWords } from "./Handover";
import { canChangeRole } from "./RoleDialog";
import { Stage } from "./Stage";
import { CallUiContext } from "./ui";
import type { CallUi } from "./ui";
import { signal } from "@preact/signals";

vi.mock("../../stories/face", () => ({ faceStream: () => null, screenStream: () => null }));

const stream = (): MediaStream => new MediaStream();
const camera = (participant: string, on: MediaStream): RemoteTrack => ({ participant, source: "camera", stream: on, held: false });
const now = (state: HandoverNow["state"], part: Partial<HandoverNow> = {}): HandoverNow => ({ state, warm: false, from: "PA_a", fromName: "Ann", to: "PA_b", toName: "Bo", ...part });
const ui = (call: FakeCall, variant: CallUi["variant"] = "customer"): CallUi =>
  ({ call, variant, network: false, panel: signal("none"), open: signal({ kind: "none" }), layout: signal("speaker"), mainVideo: { current: null }, screens: new Map() }) as unknown as CallUi;
const agents = () => [person("PA_a", "agent", "Ann"), person("PA_b", "agent", "Bo")];
const calling = (id: string, role: "customer" | "agent" | "expert" | "supervisor") => fakeCall({ me: person(id, role, "me"), others: agents(), devices: fakeDevices({ preview: null }) });

beforeEach(() => {
  language.value = "en";
});

describe("who is shown in whose place", () => {
  const call = calling("PA_me", "customer");
  const [one, two] = [stream(), stream()];

  const [a, b] = [{ from: "PA_a", to: "PA_b", shown: "PA_a" }, { from: "PA_a", to: "PA_b", shown: "PA_b" }];

  it("changes with the picture, and for good when it is done", () => {
    call.people.handover.value = now("accepted");
    call.remote.value = [camera("PA_b", one)];
    expect(succession(call)).toEqual(a);
    call.people.handover.value = now("here");
    call.remote.value = [camera("PA_a", one), camera("PA_b", two)];
    expect(succession(call)).toEqual(a);
    call.remote.value = [camera("PA_b", one)];
    expect(succession(call)).toEqual(b);
    call.remote.value = [];
    expect(succession(call)).toEqual(a);
    call.people.handover.value = now("done");
    expect(succession(call)).toEqual(b);
    call.remote.value = [camera("PA_a", one), camera("PA_b", two)]; // the relay has not switched yet
    expect(succession(call)).toEqual(a);
    call.people.handover.value = now("offered", { to: null });
    expect(succession(call)).toBeNull();
  });

  it("is only hidden from those who watch, and from nobody when who goes is lost", () => {
    const mine = calling("PA_a", "agent");
    mine.people.handover.value = now("here", { warm: true });
    expect(succession(mine)).toBeNull();
    call.people.handover.value = now("accepted");
    call.others.value = [person("PA_a", "agent", "Ann", [], { state: "disconnected" }), person("PA_b", "agent", "Bo")];
    expect(succession(call)).toBeNull();
    call.others.value = agents();
  });
});

describe("the stage of a hand-over", () => {
  const root = document.createElement("div");

  beforeEach(() => {
    vi.stubGlobal("ResizeObserver", class { observe() {} disconnect() {} });
    vi.stubGlobal("IntersectionObserver", class { observe() {} disconnect() {} });
    vi.spyOn(HTMLMediaElement.prototype, "play").mockResolvedValue(undefined);
    document.body.append(root);
  });
  afterEach(() => {
    act(() => render(null, root));
    root.remove();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  it("keeps the element in which the one was shown for the other", () => {
    const call = calling("PA_me", "customer");
    const [one, two] = [stream(), stream()];
    call.speaking.value = new Set(["PA_a"]);
    call.remote.value = [camera("PA_a", one), camera("PA_b", two)];
    call.people.handover.value = now("here");
    act(() => render(<CallUiContext.Provider value={ui(call)}><Stage /></CallUiContext.Provider>, root));
    const main = (): HTMLVideoElement | null => root.querySelector(".stage-main .tile.main video");
    const before = main();
    expect(before?.getAttribute("aria-label")).toContain("Ann");
    expect(before?.srcObject).toBe(one);
    expect(root.querySelectorAll(".tile").length).toBe(1);
    act(() => {
      call.speaking.value = new Set(["PA_b"]); // heard already, not seen yet
    });
    expect(main()).toBe(before);
    act(() => {
      call.remote.value = [camera("PA_b", one)]; // the relay has switched: no other message yet
    });
    expect(main()).toBe(before);
    expect(main()?.srcObject).toBe(one);
    expect(main()?.getAttribute("aria-label")).toContain("Bo");
    expect(root.querySelectorAll(".tile").length).toBe(1); // who goes is not shown beside
    act(() => {
      call.people.handover.value = now("done");
      call.others.value = [person("PA_b", "agent", "Bo")];
    });
    expect(main()).toBe(before);
  });
});

describe("the stage of a private talk", () => {
  const root = document.createElement("div");

  beforeEach(() => {
    vi.stubGlobal("ResizeObserver", class { observe() {} disconnect() {} });
    vi.stubGlobal("IntersectionObserver", class { observe() {} disconnect() {} });
    document.body.append(root);
  });
  afterEach(() => {
    act(() => render(null, root));
    root.remove();
    vi.unstubAllGlobals();
  });

  it("shows the colleague large, and the customer again when the hold is over", () => {
    const everybody = (held: boolean) => [person("PA_c", "customer", "Cai", [], { on_hold: held }), person("PA_b", "agent", "Bo", [])];
    const call = fakeCall({ me: person("PA_a", "agent", "Ann"), others: everybody(false), devices: fakeDevices({ preview: null }) });
    call.speaking.value = new Set(["PA_c"]);
    act(() => render(<CallUiContext.Provider value={ui(call, "agent")}><Stage /></CallUiContext.Provider>, root));
    const large = (): string => root.querySelector(".stage-main .tile.main .tile-name")?.textContent ?? "";
    expect(large()).toContain("Cai");
    act(() => {
      call.speaking.value = new Set();
      call.people.handover.value = now("here", { warm: true });
      call.others.value = everybody(true);
    });
    expect(large()).toContain("Bo");
    act(() => {
      call.others.value = everybody(false);
    });
    expect(large()).toContain("Cai");
    act(() => {
      call.others.value = [person("PA_c", "customer", "Cai", [], { on_hold: true })]; // nobody else: better than nobody
    });
    expect(large()).toContain("Cai");
  });
});

describe("the words of a hand-over", () => {
  const told = (id: string, role: "customer" | "agent" | "expert", state: HandoverNow): string | null => handoverWords(calling(id, role), state)?.title ?? null;

  it("are different for each who reads them", () => {
    expect(told("PA_a", "agent", now("accepted"))).toBe("Bo has accepted and is coming in.");
    expect(told("PA_b", "agent", now("accepted"))).toBe("Ann is handing this conversation over to you.");
    expect(told("PA_c", "customer", now("accepted"))).toBe("Ann is handing you over to Bo");
    expect(told("PA_e", "expert", now("accepted"))).toBe("Ann is handing this conversation over to Bo.");
    expect(told("PA_c", "customer", now("accepted", { warm: true }))).toBe("Ann is telling Bo about your request");
    expect(told("PA_c", "customer", now("here"))).toBe("Bo is here");
    expect(told("PA_c", "customer", now("done", { warm: true }))).toBe("Bo is now with you");
    expect(told("PA_e", "expert", now("done"))).toBe("Bo leads this conversation now.");
    expect(told("PA_b", "agent", now("here", { warm: true }))).toContain("privately with Ann");
    expect(told("PA_b", "agent", now("done"))).toBe("You lead this conversation now.");
    expect(told("PA_a", "agent", now("here", { warm: true }))).toContain("on hold");
    expect(told("PA_a", "agent", now("done"))).toBeNull();
  });

  it("do not say of a supervisor who took over that they know what it is about", () => {
    const text = (role: "agent" | "supervisor"): string | null | undefined => {
      const call = fakeCall({ me: person("PA_c", "customer", "C"), others: [person("PA_b", role, "Bo")], devices: fakeDevices({ preview: null }) });
      return handoverWords(call, now("done"))?.text;
    };
    expect(text("agent")).toBe("Bo knows what it is about. Just go on talking.");
    expect(text("supervisor")).toBe("Just go on talking: Bo goes on with you from here.");
  });

  it("tell only the one who asked what came of it", () => {
    const nobody = { to: null, toName: "" };
    expect(told("PA_a", "agent", now("offered", nobody))).toBe("Offered to a free colleague. Waiting for an answer.");
    expect(told("PA_a", "agent", now("declined", { to: null }))).toBe("Bo cannot take over now.");
    expect(told("PA_a", "agent", now("expired", nobody))).toBe("Nobody could take over now.");
    expect(told("PA_a", "agent", now("expired"))).toBe("Bo did not come in.");
    for (const state of ["offered", "declined", "expired", "cancelled"] as const) {
      expect(told("PA_c", "customer", now(state))).toBeNull();
      expect(told("PA_e", "expert", now(state))).toBeNull();
    }
  });

  it("explain the hold of a talk, and no other hold", () => {
    const call = calling("PA_c", "customer");
    expect(talkWords(call)).toBeNull();
    call.people.handover.value = now("here");
    expect(talkWords(call)).toBeNull();
    call.people.handover.value = now("here", { warm: true });
    expect(talkWords(call)?.title).toBe("Ann is telling Bo about your request");
  });

  it("count a kept place in tens of seconds", () => {
    expect([48_000, 50_000, 10_001, 10_000, 1, 0, -5].map(keptWords)).toEqual([
      "Back within about 50 seconds, or a colleague takes over.",
      "Back within about 50 seconds, or a colleague takes over.",
      "Back within about 20 seconds, or a colleague takes over.",
      "Back within moments, or a colleague takes over.",
      "Back within moments, or a colleague takes over.",
      "A colleague is being found for you.",
      "A colleague is being found for you.",
    ]);
  });
});

describe("what may be asked", () => {
  it("is a hand-over at a desk, by whoever leads, one at a time", () => {
    const call = calling("PA_a", "agent");
    expect(canHandOver(ui(call, "agent"))).toBe(true);
    expect(canHandOver(ui(call, "expert"))).toBe(false);
    call.people.handover.value = now("offered");
    expect(canHandOver(ui(call, "agent"))).toBe(false);
    call.people.handover.value = now("declined");
    expect(canHandOver(ui(call, "agent"))).toBe(true);
    const { value: others } = call.others;
    call.others.value = [];
    expect(canHandOver(ui(call, "agent"))).toBe(false); // there is nobody to hand over
    call.others.value = others;
    call.grants.value = new Set();
    expect(canHandOver(ui(call, "agent"))).toBe(false);
  });

  it("is the role of an expert, of a second agent, and of a supervisor by a supervisor", () => {
    const by = (role: "agent" | "supervisor", others = agents()): CallUi => ui(fakeCall({ me: person("PA_me", role, "me"), others, devices: fakeDevices({ preview: null }) }), "agent");
    expect(canChangeRole(by("agent"), person("PA_e", "expert", "E"))).toBe(true);
    expect(canChangeRole(by("agent"), person("PA_c", "customer", "C"))).toBe(false);
    expect(canChangeRole(by("agent"), person("PA_s", "supervisor", "S"))).toBe(false);
    expect(canChangeRole(by("supervisor"), person("PA_s", "supervisor", "S"))).toBe(true);
    expect(canChangeRole(by("supervisor"), person("PA_s", "supervisor", "S", [], { listens: true }))).toBe(false);
    expect(canChangeRole(by("agent"), person("PA_a", "agent", "A"))).toBe(true);
    expect(canChangeRole(by("supervisor", [person("PA_a", "agent", "A")]), person("PA_a", "agent", "A"))).toBe(false);
  });
});
