import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { PageRules, Scope, TabDom, Viewer } from "../cobrowse.gen";
import { TOO_MUCH } from "./capture";
import { FakeSocket, tabState, welcome } from "./fakes";
import type { HelpFile } from "./help/parts";
import { Journey } from "./journey";
import { Keeping } from "./keeping";
import { MASK } from "./net";
import type { Record_ } from "./recording";
import { Share, type Shown } from "./share";

const li = (...granted: Scope[]): Viewer => ({ id: "PA_1", name: "Li Wen", role: "agent", granted });
const here = (part: Partial<PageRules> = {}): PageRules => ({ url: location.href.replace(/[?#].*$/, ""), name: "x", show: ["h1"], values: [], mask: [], block: [], click: [], images: [], pause: false, ...part });

let share: Share;
let shown: Shown[];
let recordings: { emit(event: unknown): void; stopped: boolean }[];
let load: ReturnType<typeof vi.fn<() => Promise<Record_>>>;
let help: ReturnType<typeof vi.fn<() => Promise<HelpFile>>>;
let roots: ShadowRoot[];
let focused = true;

const socket = (): FakeSocket => FakeSocket.all.at(-1)!;
const texts = (): string => roots.map((root) => root.querySelector(".panel")?.textContent ?? "").join(" ").replaceAll("\u00a0", " ");
const button = (name: string): HTMLButtonElement => {
  const found = roots.flatMap((root) => [...root.querySelectorAll("button")]).find((one) => !one.hidden && (one.textContent === name || one.getAttribute("aria-label") === name));
  if (found === undefined) throw new Error(`no button ${name} in: ${texts()}`);
  return found;
};
const press = (name: string, trusted = true): void => {
  const event = new MouseEvent("click", { bubbles: true });
  Object.defineProperty(event, "isTrusted", { value: trusted });
  button(name).dispatchEvent(event);
};
const events = (): { type: number; data: Record<string, unknown> }[] => {
  const whole = new Map<number, string>();
  for (const { n, text } of socket().of("tab.dom")) whole.set(n, (whole.get(n) ?? "") + text);
  return [...whole.values()].map((text) => JSON.parse(text) as { type: number; data: Record<string, unknown> });
};
async function soon(): Promise<void> {
  await vi.advanceTimersByTimeAsync(1500);
}
function answer(): void {
  socket().opens();
  socket().says(welcome({ pages: [here()] }));
}

/** As the recorder does: the address, then the page. */
const record = Object.assign(
  (options: { emit(event: unknown): void }) => {
    const one = { emit: options.emit, stopped: false };
    recordings.push(one);
    options.emit({ type: 4, data: { href: location.href, width: 1, height: 1 }, timestamp: 1 });
    options.emit({ type: 2, data: { node: { type: 0, id: 1, childNodes: [] }, initialOffset: { left: 0, top: 0 } }, timestamp: 1 });
    return () => void (one.stopped = true);
  },
  { options: () => ({}), mirror: { getId: () => 1, getNode: (id: number) => (id === 7 ? document.getElementById("seven") : null) } },
) as unknown as Record_;

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.all = [];
  sessionStorage.clear();
  document.body.innerHTML = '<h1 id="seven">Hello</h1>';
  [shown, recordings, roots, focused] = [[], [], [], true];
  vi.spyOn(document, "hasFocus").mockImplementation(() => focused);
  const attach = Element.prototype.attachShadow;
  vi.spyOn(Element.prototype, "attachShadow").mockImplementation(function (this: Element, options) {
    expect(options.mode).toBe("closed");
    const root = attach.call(this, options);
    roots.push(root);
    return root;
  });
  load = vi.fn(() => Promise.resolve(record));
  help = vi.fn(() => Promise.reject<HelpFile>(new Error("no")));
  share = new Share({
    site: "pk_x", url: "wss://x", language: "en", keeping: new Keeping("pk_x", sessionStorage, null), journey: new Journey((message) => void share.send(message)),
    load, help, customer: () => "C1", changed: (now) => void shown.push(now), socket: FakeSocket.make,
  });
});
afterEach(() => {
  share.overElsewhere();
  document.querySelector("tongping-share")?.remove();
  vi.useRealTimers();
});

describe("from the code to the picture", () => {
  it("shows the code, asks, and records only when pictures are wanted after a yes", async () => {
    share.start();
    answer();
    expect(socket().of("tab.hello")).toEqual([{ type: "tab.hello", site: "pk_x", token: "", tab: expect.stringMatching(/^[0-9a-f]{32}$/), page: 1, customer: "C1" }]);
    socket().says(tabState({ code: "123456", code_s: 600 }));
    expect(texts()).toContain("123456");
    expect(texts()).toContain("Nobody sees anything yet");
    socket().says(tabState({ state: "attached" }));
    expect(texts()).toContain("Nobody sees this page");
    socket().says({ type: "consent.ask", viewer: li(), scope: "view", seconds: 30, rules: "hash" });
    expect(texts()).toContain("Li Wen of Haichuan Bank wants to see this page");
    await soon();
    expect(load).not.toHaveBeenCalled();
    press("Yes, allow");
    expect(socket().of("tab.consent")).toEqual([{ type: "tab.consent", viewer: "PA_1", scope: "view", given: true, rules: "hash" }]);
    socket().says(tabState({ state: "sharing", viewers: [li("view")] }));
    await soon();
    expect(load).not.toHaveBeenCalled();
    socket().says({ type: "picture.want" });
    await soon();
    expect(events().map(({ type }) => type)).toEqual([4, 2]);
    expect(socket().of("tab.dom").map(({ n, page, last }: TabDom) => [n, page, last])).toEqual([[1, 1, true], [2, 1, true]]);
    expect(texts()).toContain("Li Wen sees this page");
    expect(shown).toEqual(["offered", "attached", "sharing"]);
  });

  it.each([
    ["typed", "view", "They typed in the code that you read out."],
    ["offered", "view", "They are who offered you help here."],
    ["other", "view", "This is somebody else, not the person you began with."],
    ["other", "click", "This is somebody else, not the person you began with."],
  ])("says who asks: %s for %s", (who, scope, words) => {
    share.start();
    answer();
    socket().says(tabState({ state: "attached", viewers: [li("view")] }));
    socket().says({ type: "consent.ask", viewer: li(), scope, seconds: 30, rules: "hash", who });
    expect(texts()).toContain(words);
  });

  it("says who brought the page in the first question alone", () => {
    share.start();
    answer();
    socket().says(tabState({ state: "sharing", viewers: [li("view")] }));
    socket().says({ type: "consent.ask", viewer: li("view"), scope: "point", seconds: 30, rules: "hash", who: "typed" });
    expect(texts()).toContain("wants to point, draw and propose entries on this page");
    expect(texts()).not.toContain("typed in the code");
  });

  it("a script of the page cannot say yes, nor can a press that was on its way", async () => {
    share.start();
    answer();
    socket().says(tabState({ state: "attached" }));
    socket().says({ type: "consent.ask", viewer: li(), scope: "view", seconds: 30, rules: "hash" });
    press("Yes, allow");
    await soon();
    press("Yes, allow", false);
    expect(socket().of("tab.consent")).toEqual([]);
    press("No");
    expect(socket().of("tab.consent")).toMatchObject([{ given: false }]);
  });

  it("questions come one at a time and go with who asked, or unanswered", async () => {
    share.start();
    answer();
    socket().says(tabState({ state: "sharing", viewers: [li("view"), { ...li("view"), id: "PA_2", name: "Bo" }] }));
    socket().says({ type: "consent.ask", viewer: li("view"), scope: "point", seconds: 30, rules: "hash" });
    socket().says({ type: "consent.ask", viewer: { ...li("view"), id: "PA_2", name: "Bo" }, scope: "click", seconds: 30, rules: "hash" });
    expect(texts()).toContain("Li Wen of Haichuan Bank wants to point");
    expect(texts()).not.toContain("Bo of");
    socket().says(tabState({ state: "sharing", viewers: [{ ...li("view"), id: "PA_2", name: "Bo" }] }));
    expect(texts()).toContain("Bo of Haichuan Bank wants to click");
    await vi.advanceTimersByTimeAsync(31_000);
    expect(texts()).not.toContain("wants to");
    expect(socket().of("tab.consent")).toEqual([]);
  });
});

describe("while it is shared", () => {
  beforeEach(async () => {
    share.start();
    answer();
    socket().says(tabState({ state: "sharing", viewers: [li("view", "point", "scroll")] }));
    socket().says({ type: "picture.want" });
    await soon();
  });

  const quiet = (): boolean => {
    const before = socket().of("tab.dom").length;
    recordings.at(-1)!.emit({ type: 3, data: { source: 4, width: 1, height: 1 }, timestamp: 1 });
    return socket().of("tab.dom").length === before;
  };

  it.each([
    ["paused", { state: "paused" }],
    ["another tab is in front", { front: false }],
    ["the page is hidden", { hidden: true }],
    ["nobody may look any more", { viewers: [li("point")] }],
  ] as const)("nothing leaves once %s", (_, part) => {
    expect(quiet()).toBe(false);
    socket().says(tabState({ state: "sharing", viewers: [li("view")], ...(part as object) }));
    expect(recordings.at(-1)!.stopped).toBe(true);
    expect(quiet()).toBe(true);
  });

  it("nor once the line is cut; afterwards not before it is asked for, and counted anew", async () => {
    const before = socket();
    before.drops();
    expect(recordings.at(-1)!.stopped).toBe(true);
    expect(texts()).toContain("Connection lost");
    await soon();
    expect(socket()).not.toBe(before);
    answer();
    expect(socket().of("tab.hello")).toMatchObject([{ token: "T", page: 1 }]);
    socket().says(tabState({ state: "sharing", viewers: [li("view")] }));
    await soon();
    expect(socket().of("tab.dom")).toEqual([]);
    socket().says({ type: "picture.want" });
    await soon();
    expect(socket().of("tab.dom").map(({ n }) => n)).toEqual([1, 2]);
  });

  it("the bar says what stays hidden as long as somebody looks", () => {
    expect(texts()).toContain("Li Wen sees this pageHidden: passwords, codes, cards");
    socket().says(tabState({ state: "paused", viewers: [li("view")] }));
    expect(roots.some((root) => [...root.querySelectorAll<HTMLElement>(".note")].some((one) => !one.hidden))).toBe(false);
  });

  it("what the agent sees is loaded when it is asked for, and turned off with who looks", async () => {
    press("What your adviser sees");
    await soon();
    expect(texts()).not.toContain("Hatched"); // it could not be loaded
    const turned: boolean[] = [];
    const seen = { on: false, turn: (on: boolean) => void turned.push((seen.on = on)) };
    help.mockResolvedValue({ seen: () => seen } as unknown as HelpFile);
    press("What your adviser sees");
    await soon();
    expect(texts()).toContain("Hatched: hidden from your adviser.");
    socket().says(tabState({ state: "attached", viewers: [] }));
    expect(turned).toEqual([true, false]);
  });

  it("what is taken back is gone here at once", () => {
    press("More");
    press("Take “see” back from Li Wen");
    expect(socket().of("tab.consent")).toMatchObject([{ viewer: "PA_1", scope: "view", given: false, rules: "hash" }]);
    expect(quiet()).toBe(true);
  });

  it("control is taken back by one press, looking is not", () => {
    press("Take back control");
    expect(socket().of("tab.take")).toHaveLength(1);
    socket().says({ type: "act", act: "A1", page: 1, node: 7, kind: "scroll", value: "", viewer: "PA_1" });
    expect(socket().of("tab.done")).toEqual([{ type: "tab.done", act: "A1", outcome: "refused" }]);
    expect(quiet()).toBe(false);
  });

  it("pause, resume and stop", () => {
    press("Pause");
    socket().says(tabState({ state: "paused", viewers: [li("view")] }));
    expect(texts()).toContain("Nobody sees this page");
    press("Resume");
    press("Stop");
    expect(socket().of("tab.pause").map(({ paused }) => paused)).toEqual([true, false]);
    expect(socket().of("tab.stop")).toHaveLength(1);
    expect([quiet(), sessionStorage.getItem("tongping:pk_x"), shown.at(-1)]).toEqual([true, null, "off"]);
    expect(texts()).toContain("Sharing has ended");
    share.start();
    expect(texts()).not.toContain("Sharing has ended");
  });

  it("a new picture begins where one is wanted, with nothing of the old between", async () => {
    socket().says({ type: "picture.want" });
    expect(quiet()).toBe(true);
    await soon();
    expect(events().map(({ type }) => type)).toEqual([4, 2, 3, 4, 2].filter((_, index) => index !== 2));
  });

  it("a socket that holds too much gets no more; a new picture comes when it is through", async () => {
    socket().bufferedAmount = TOO_MUCH + 1;
    expect(quiet()).toBe(true); // it waits in the script
    expect(recordings.at(-1)!.stopped).toBe(true);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(recordings).toHaveLength(1);
    press("Pause");
    expect(socket().sent.at(-1)).toEqual({ type: "tab.pause", paused: true });
    press("Resume");
    socket().says(tabState({ state: "sharing", viewers: [li("view")] }));
    socket().says({ type: "picture.want" });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(recordings).toHaveLength(1);
    socket().bufferedAmount = 0;
    await soon();
    expect(recordings).toHaveLength(2);
    expect(events().slice(-3).map(({ type }) => type)).toEqual([3, 4, 2]);
  });

  it("another address without another document is another picture, by its own rules", async () => {
    socket().sent = [];
    socket().says(welcome({ pages: [here(), here({ url: `${location.origin}/secret`, pause: true, show: [] })] }));
    socket().says(tabState({ state: "sharing", viewers: [li("view")] }));
    socket().says({ type: "picture.want" });
    await soon();
    const was = location.href;
    vi.stubGlobal("location", { ...location, href: `${location.origin}/secret?x=1`, origin: location.origin });
    expect(quiet()).toBe(true);
    await soon();
    expect(events().at(-1)).toMatchObject({ type: 4, data: { href: `${new URL(was).origin}/secret` } });
    const count = events().length;
    await soon();
    expect(events()).toHaveLength(count);
    vi.unstubAllGlobals();
    await soon();
    expect(events().slice(count).map(({ type }) => type)).toEqual([4, 2]);
  });

  it("words leave as the rules say", () => {
    const id = 7;
    recordings.at(-1)!.emit({ type: 3, data: { source: 0, adds: [], removes: [], attributes: [], texts: [{ id, value: "s3cret" }] }, timestamp: 1 });
    expect(JSON.stringify(events().at(-1))).toContain(MASK);
  });

  it("the recorder that cannot be had ends it with a word", async () => {
    share.overElsewhere();
    FakeSocket.all = [];
    load.mockImplementation(() => Promise.reject(new Error("no")));
    share = new Share({ site: "pk_y", url: "wss://x", language: "zh", keeping: new Keeping("pk_y", null, null), journey: new Journey(() => undefined), load, help: () => Promise.reject(new Error("no")), customer: () => "", changed: () => undefined, socket: FakeSocket.make });
    share.start();
    answer();
    socket().says(tabState({ state: "sharing", viewers: [li("view")] }));
    socket().says({ type: "picture.want" });
    await soon();
    expect(socket().of("tab.stop")).toHaveLength(1);
    expect(texts()).toContain("连接中断");
  });
});

describe("how it ends", () => {
  it.each([
    ["expired", tabState({ code: "123456" }), "The sharing code was not used in time"],
    ["expired", null, "Sharing has ended"],
    ["ended", tabState({ state: "attached" }), "Sharing has ended"],
    ["invalid", null, "not possible on this page"],
  ] as const)("%s is said in words, and nothing is kept", (code, state, words) => {
    share.start();
    answer();
    if (state !== null) socket().says(state);
    socket().says({ type: "bye", code, again: false });
    expect(texts()).toContain(words);
    expect([share.running, sessionStorage.getItem("tongping:pk_x")]).toEqual([false, null]);
  });

  it.each(["replaced", "too_many"])("a document that is %s is out of it; others go on", (code) => {
    share.start();
    answer();
    socket().says(tabState({ state: "attached" }));
    socket().says({ type: "bye", code, again: false });
    expect([share.running, sessionStorage.getItem("tongping:pk_x") !== null, texts().trim()]).toEqual([false, true, ""]);
  });
});

describe("a long event", () => {
  it("goes in chunks, never in the middle of a character", async () => {
    share.start();
    answer();
    socket().says(tabState({ state: "sharing", viewers: [li("view")] }));
    socket().says({ type: "picture.want" });
    await soon();
    document.body.innerHTML = '<h1 id="seven"></h1>';
    const text = "x" + "𠀀".repeat(60_000);
    recordings.at(-1)!.emit({ type: 3, data: { source: 8, id: 7, adds: [{ rule: text }] }, timestamp: 1 });
    const chunks = socket().of("tab.dom").filter(({ n }) => n === 3);
    expect(chunks.length).toBeGreaterThan(2);
    for (const chunk of chunks) {
      expect(chunk.text.length).toBeLessThanOrEqual(48 * 1024);
      expect(/^[\udc00-\udfff]|[\ud800-\udbff]$/.test(chunk.text)).toBe(false);
    }
    expect(chunks.map(({ last }) => last)).toEqual([...chunks.slice(1).map(() => false), true]);
    expect(JSON.stringify(events().at(-1))).toContain(text);
  });
});

describe("which tab is in front", () => {
  const sent = (): number => socket().of("tab.front").length;

  it("says so once after a greeting, and whenever the customer comes to it", () => {
    share.start();
    answer();
    socket().says(tabState({ state: "sharing", front: false, viewers: [li("view")] }));
    socket().says(tabState({ state: "sharing", front: false, viewers: [li("view")] }));
    expect(sent()).toBe(1);
    expect(texts()).toContain("Another tab of yours is shared");
    dispatchEvent(new Event("focus"));
    expect(sent()).toBe(2);
    socket().says(tabState({ state: "sharing", front: true, viewers: [li("view")] }));
    dispatchEvent(new Event("focus"));
    document.dispatchEvent(new Event("visibilitychange"));
    expect(sent()).toBe(2);
  });

  it("the code stands in that tab alone", () => {
    share.start();
    answer();
    socket().says(tabState({ code: "123456", front: false }));
    expect(texts()).not.toContain("123456");
  });
});

describe("the journey", () => {
  it("is told while somebody is there, with how many fields are wrong, never with what is in them", async () => {
    const journey = new Journey((message) => void share.send(message));
    document.body.innerHTML = '<input aria-invalid="true" value="s3cret"><input aria-invalid="false">';
    journey.at("amount");
    share.start();
    answer();
    socket().says(tabState({ state: "attached" }));
    journey.watch(true);
    await vi.advanceTimersByTimeAsync(20_000);
    journey.watch(false);
    const steps = socket().of("tab.step");
    expect(steps[0]).toEqual({ type: "tab.step", step: "amount", errors: 1, dwell_s: 0, fields: [] });
    expect(steps.at(-1)!.dwell_s).toBeGreaterThanOrEqual(10);
    expect(() => journey.at(5 as unknown as string)).toThrow(TypeError);
  });

  it("names fields of the picture that others read anything of, anew with each picture, also where the bank tells no step", async () => {
    document.body.innerHTML = `<h1>Hello</h1><div id=seven>${["a", "b", "secret", "password"].map((id) => `<input id=${id} aria-invalid=${id !== "b"}>`).join("")}</div>`;
    const of = (selector: string): number => ["#a", "#b", "#secret", "#password"].indexOf(selector) + 40;
    record.mirror.getId = (node) => of(`#${(node as Element).id}`);
    try {
      share.start();
      socket().opens();
      socket().says(welcome({ pages: [here({ values: ["#a", "#b", "#password"] })] }));
      socket().says(tabState({ state: "sharing", viewers: [li("view")] }));
      expect(socket().of("tab.step")).toMatchObject([{ step: "", errors: 3, fields: [] }]);
      socket().says({ type: "picture.want" });
      await soon();
      const told = (): unknown[] => socket().of("tab.step").map(({ fields }) => fields);
      expect(told().slice(0, 2)).toEqual([[], [40]]);
      expect(socket().sent.slice(-2).map(({ type }) => type)).toEqual(["tab.dom", "tab.step"]);
      document.querySelector("#b")!.setAttribute("aria-invalid", "true");
      document.querySelector("#a")!.removeAttribute("aria-invalid");
      await vi.advanceTimersByTimeAsync(5_000);
      expect(told().at(-1)).toEqual([41]);
      document.querySelector("#b")!.setAttribute("autocomplete", "one-time-code");
      await vi.advanceTimersByTimeAsync(5_000);
      expect(told().at(-1)).toEqual([]);
      socket().says(tabState({ state: "attached" }));
      const before = told().length;
      document.querySelector("#a")!.setAttribute("aria-invalid", "true");
      await vi.advanceTimersByTimeAsync(20_000);
      expect(told().length).toBe(before);
    } finally {
      record.mirror.getId = () => 1;
    }
  });
});
