import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Scope, Viewer } from "../cobrowse.gen";
import { Acts } from "./acts";
import { apartFrom, clean } from "./clean";
import { FakeSocket, tabState, welcome } from "./fakes";
import { Journey } from "./journey";
import { Keeping } from "./keeping";
import { MOST_NOS, NO_MS } from "./page";
import type { Record_ } from "./recording";
import { Share } from "./share";
import { TYPES_MS } from "./ui/typing";

const li = (...granted: Scope[]): Viewer => ({ id: "PA_1", name: "Li Wen", role: "agent", granted });
const sharing = (...granted: Scope[]) => tabState({ state: "sharing", viewers: [li("view", ...granted)] });
const ask = (scope: Scope, id = "PA_1") => ({ type: "consent.ask", viewer: { ...li("view"), id }, scope, seconds: 30, rules: "hash" });

let share: Share;
let keeping: Keeping;
let journey: Journey;
let roots: ShadowRoot[];
const socket = (): FakeSocket => FakeSocket.all.at(-1)!;
const texts = (): string => roots.map((root) => root.querySelector(".panel")?.textContent ?? "").join(" ").replaceAll("\u00a0", " ");
const soon = async (): Promise<void> => void (await vi.advanceTimersByTimeAsync(1500));
const trusted = <T extends Event>(event: T): T => Object.defineProperty(event, "isTrusted", { value: true });
function press(name: string): void {
  const all = roots.flatMap((root) => [...root.querySelectorAll("button")]);
  const found = all.find((one) => !one.hidden && (one.textContent === name || one.getAttribute("aria-label") === name));
  if (found === undefined) throw new Error(`no button ${name} in: ${texts()}`);
  found.dispatchEvent(trusted(new MouseEvent("click", { bubbles: true })));
}
const record = Object.assign(
  ({ emit }: { emit(event: unknown): void }) => {
    emit({ type: 2, data: { node: { type: 0, id: 1, childNodes: [] }, initialOffset: { left: 0, top: 0 } }, timestamp: 1 });
    return () => undefined;
  },
  { options: () => ({}), mirror: { getId: () => 1, getNode: () => null } },
) as unknown as Record_;
function made(): Share {
  keeping = new Keeping("pk_x", sessionStorage, null);
  journey = new Journey((message) => void share.send(message));
  return new Share({ site: "pk_x", url: "wss://x", language: "en", keeping, journey, load: () => Promise.resolve(record), help: () => Promise.reject(new Error("no")), customer: () => "C1", changed: () => undefined, socket: FakeSocket.make });
}
function answer(): void {
  socket().opens();
  socket().says(welcome());
}
async function back(): Promise<void> {
  const before = FakeSocket.all.length;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(FakeSocket.all.length).toBeGreaterThan(before);
  answer();
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.all = [];
  sessionStorage.clear();
  roots = [];
  document.body.innerHTML = "<h1>Hello</h1><input id=note><input id=pw>";
  const attach = Element.prototype.attachShadow;
  vi.spyOn(Element.prototype, "attachShadow").mockImplementation(function (this: Element, options) {
    const root = attach.call(this, options);
    roots.push(root);
    return root;
  });
  share = made();
  share.start();
  answer();
});
afterEach(() => {
  share.overElsewhere();
  for (const one of document.querySelectorAll("tongping-share")) one.remove();
  vi.useRealTimers();
});

describe("what is taken back while the line is cut", () => {
  beforeEach(async () => {
    socket().says(sharing("point", "fill"));
    socket().says({ type: "picture.want" });
    await soon();
    expect(socket().of("tab.dom")).not.toEqual([]);
  });

  it("a pause holds at once, is said first on the new line, and until the server says so nothing leaves", async () => {
    socket().drops();
    press("Pause");
    expect(texts()).toContain("Paused. Nobody sees this page");
    await back();
    expect(socket().sent.map(({ type }) => type)).toEqual(["tab.hello", "tab.pause"]);
    socket().says(sharing("point"));
    socket().says({ type: "picture.want" });
    await soon();
    expect([socket().of("tab.dom"), texts().includes("Nobody sees this page")]).toEqual([[], true]);
    socket().says(tabState({ state: "paused", viewers: [li("view")] }));
    press("Resume");
    socket().says(sharing());
    socket().says({ type: "picture.want" });
    await soon();
    expect(socket().of("tab.pause").map(({ paused }) => paused)).toEqual([true, false]);
    expect(socket().of("tab.dom")).not.toEqual([]);
  });

  it("the same where the line only seems to stand", async () => {
    socket().send = () => undefined;
    press("Pause");
    socket().drops();
    await back();
    expect(socket().of("tab.pause")).toEqual([{ type: "tab.pause", paused: true }]);
  });

  it("a proposal that is open goes with control", () => {
    const answered = vi.spyOn(Acts.prototype, "answer");
    press("Take back control");
    expect(answered.mock.calls).toEqual([[false]]);
    answered.mockRestore();
  });

  it("and of seeing and of control", async () => {
    socket().drops();
    press("Take back control");
    press("More");
    press("Take “see” back from Li Wen");
    expect(texts()).not.toContain("Li Wen");
    await back();
    expect(socket().of("tab.consent").map(({ scope, given }) => [scope, given])).toEqual([["fill", false], ["view", false]]);
    socket().says(sharing("fill"));
    socket().says({ type: "picture.want" });
    await soon();
    expect(socket().of("tab.dom")).toEqual([]);
    socket().says(tabState({ state: "attached", viewers: [li()] }));
    expect(sessionStorage.getItem("tongping:pk_x:wishes")).toBeNull();
  });

  it("also over a page", async () => {
    socket().drops();
    press("Pause");
    share = made();
    share.start();
    answer();
    expect(socket().of("tab.pause")).toEqual([{ type: "tab.pause", paused: true }]);
  });

  it("a stop is said once there is a line again", async () => {
    socket().drops();
    press("Stop");
    expect([texts().includes("Sharing has ended"), share.running]).toEqual([true, false]);
    await back();
    expect(socket().of("tab.hello")).toMatchObject([{ token: "T" }]);
    expect(socket().of("tab.stop")).toHaveLength(1);
    socket().says({ type: "bye", code: "ended", again: false });
    const count = FakeSocket.all.length;
    await vi.advanceTimersByTimeAsync(120_000);
    expect(FakeSocket.all).toHaveLength(count);
  });

  it("a stop that is not answered is said again, for a minute", async () => {
    press("Stop");
    await back();
    expect(socket().of("tab.stop")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(120_000);
    const count = FakeSocket.all.length;
    await vi.advanceTimersByTimeAsync(120_000);
    expect(FakeSocket.all).toHaveLength(count);
  });
});

describe("the focus is the customer's", () => {
  const key = (selector: string): void => {
    const field = document.querySelector<HTMLElement>(selector)!;
    field.focus();
    field.dispatchEvent(trusted(new KeyboardEvent("keydown", { key: "x", bubbles: true, composed: true })));
  };
  beforeEach(() => socket().says(sharing()));

  it("nobody's question takes it from who types, and it is said aloud", async () => {
    key("#note");
    socket().says(ask("point"));
    expect(document.activeElement?.id).toBe("note");
    expect(roots.at(-1)!.querySelector("[role=alert]")!.textContent).toContain("wants to point");
    await vi.advanceTimersByTimeAsync(TYPES_MS + 1);
    socket().says(ask("point", "PA_2"));
    await vi.advanceTimersByTimeAsync(31_000);
    expect(document.activeElement?.id).not.toBe("note");
  });

  it.each([
    ["nobody answered", () => vi.advanceTimersByTimeAsync(31_000)],
    ["who asked is gone", () => Promise.resolve(socket().says(tabState({ state: "attached" })))],
  ])("nor does a question pull it back when %s", async (_, ends) => {
    document.getElementById("note")!.focus();
    socket().says(ask("point"));
    key("#pw");
    await ends();
    expect(texts()).not.toContain("wants to");
    expect(document.activeElement?.id).toBe("pw");
  });
});

describe("a no", () => {
  beforeEach(() => socket().says(sharing()));
  const refuse = async (): Promise<void> => {
    await soon();
    press("No");
  };

  it("answers the same question for two minutes, and no other", async () => {
    socket().says(ask("point"));
    await refuse();
    socket().says(ask("point"));
    expect(texts()).not.toContain("wants to");
    expect(socket().of("tab.consent").map(({ given }) => given)).toEqual([false, false]);
    socket().says(ask("scroll"));
    expect(texts()).toContain("wants to scroll");
    await vi.advanceTimersByTimeAsync(NO_MS);
    socket().says(ask("point"));
    expect(texts()).toContain("wants to point");
  });

  it("that is said again and again ends the asking", async () => {
    for (let times = 0; times < MOST_NOS; times += 1) {
      socket().says(ask("point"));
      await refuse();
      await vi.advanceTimersByTimeAsync(NO_MS);
    }
    socket().says(ask("fill"));
    expect(texts()).not.toContain("wants to");
    socket().says(ask("fill", "PA_2"));
    expect(texts()).toContain("wants to fill");
  });
});

it("where the customer is leaves only while somebody sees it", async () => {
  journey.at("Loan refused");
  socket().says(tabState({ state: "attached" }));
  socket().says(tabState({ state: "paused", viewers: [li("view")] }));
  socket().says(tabState({ state: "sharing", viewers: [li("view")], hidden: true }));
  await vi.advanceTimersByTimeAsync(20_000);
  expect(socket().of("tab.step")).toEqual([]);
  socket().says(sharing());
  expect(socket().of("tab.step")).toMatchObject([{ step: "Loan refused" }]);
});

it("a share ends where the page says that it is another customer, or none", async () => {
  share.identified("C1");
  expect(share.running).toBe(true);
  share = made();
  share.identified("");
  expect([share.running, keeping.token]).toEqual([false, ""]);
  socket().opens();
  expect(socket().sent.map(({ type }) => type)).toEqual(["tab.hello", "tab.stop"]);
});

it("names are cleaned and set apart", () => {
  const name = "Li\u202e neW\u200b";
  socket().says(tabState({ state: "sharing", viewers: [{ ...li("view"), name }] }));
  expect(texts()).toContain(`${clean(name)} sees this page`);
  expect(roots.at(-1)!.querySelector(".line bdi")!.textContent).toBe("Li neW");
  expect(apartFrom("A and B see", ["B", "A"]).map((one) => (typeof one === "string" ? one : `<${one.textContent}>`)).join("")).toBe("<A> and <B> see");
});
