import { render } from "preact";
import { act } from "preact/test-utils";
import { signal } from "@preact/signals";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Scope, ViewState } from "../../../cobrowse.gen";
import type { CoBrowse } from "../../../core/cobrowse";
import { language, t } from "../../../i18n";
import { fakeCobrowse } from "../../../stories/cobrowse";
import { fakeCall, fakeDevices, person } from "../../../stories/fakes";
import type { FakeCall } from "../../../stories/fakes";
import { announce } from "../../../ui/announce";
import { CallUiContext } from "../ui";
import type { CallUi } from "../ui";
import { FillForm } from "./FillForm";
import { usePageNews } from "./news";
import { PagePanel, actWords, outcomeWords } from "./PagePanel";
import { PageStage } from "./PageStage";
import { mayAttach, pageUi, situation } from "./state";
import type { Situation } from "./state";

vi.mock("../../../stories/face", () => ({ faceStream: () => null, screenStream: () => null }));
vi.mock("../Stage", () => ({ PictureStrip: () => null }));
vi.mock("./Picture", () => ({ Picture: () => null }));
vi.mock("../../../ui/announce", () => ({ announce: vi.fn() }));

type Setting = NonNullable<Parameters<typeof fakeCobrowse>[0]>;
type Told = { -readonly [K in keyof CoBrowse]: CoBrowse[K] extends { readonly value: infer V } ? { value: V } : CoBrowse[K] };

const root = document.createElement("div");
let ui: CallUi;
let live: Told;
let asked: Scope[];

function Page() {
  usePageNews(ui);
  return (
    <>
      <PageStage />
      <PagePanel />
      <FillForm />
    </>
  );
}

function call(setting: Setting, role: "agent" | "expert" = "agent"): FakeCall {
  const made = fakeCall({ me: person("PA_me", role, "A"), devices: fakeDevices({ preview: null }), grants: ["cobrowse.view"] });
  return { ...made, cobrowse: fakeCobrowse(setting) };
}

function show(setting: Setting = {}, role: "agent" | "expert" = "agent", page = pageUi(true)): void {
  const made = call(setting, role);
  asked = [];
  live = made.cobrowse as unknown as Told;
  live.ask = (scope) => void asked.push(scope);
  ui = { call: made, variant: role, page, panel: signal("none"), open: signal({ kind: "none" }) } as unknown as CallUi;
  act(() => render(<CallUiContext.Provider value={ui}><Page /></CallUiContext.Provider>, root));
}

const told = (change: Partial<ViewState>, granted?: Scope[]) =>
  act(() => {
    const now = live.state.value;
    if (now === null) throw new Error("nothing is known");
    live.state.value = { ...now, ...change, viewers: now.viewers.map((one) => (one.id === "PA_me" && granted ? { ...one, granted } : one)) };
  });
const button = (name: string) => [...document.querySelectorAll("button")].find((one) => (one.getAttribute("aria-label") ?? one.textContent)?.trim() === name);
const press = (name: string) => act(() => button(name)?.click());
const steps = () => [...root.querySelectorAll(".step")].map((one) => one.className.replace("step ", ""));
const said = () => vi.mocked(announce).mock.calls.map(([text]) => text);

beforeEach(() => {
  language.value = "en";
  document.body.append(root);
  vi.mocked(announce).mockClear();
  vi.stubGlobal("matchMedia", () => ({ matches: false }));
});

afterEach(() => {
  act(() => render(null, root));
  root.remove();
});

it.each<[Situation, Setting]>([
  ["none", { share: null }],
  ["ended", { share: null, line: "over", ended: "ended" }],
  ["over", { line: "over", ended: "too_many" }],
  ["connecting", { line: "connecting" }],
  ["look", { granted: [] }],
  ["look", { granted: [], state: { front: false, hidden: true } }], // who may not look is not told of these
  ["asked", { granted: [], state: { waits_for: ["view"] } }],
  ["refused", { granted: [], refused: ["view"] }],
  ["hidden", { state: { hidden: true } }],
  ["paused", { state: { state: "paused" } }],
  ["gone", { state: { front: false } }],
  ["coming", { pictured: false }],
  ["seen", {}],
])("is %s", (expected, setting) => {
  expect(situation(call(setting))).toBe(expected);
});

it("lets those who lead type the code, and six digits alone", () => {
  const attach = vi.fn();
  show({ share: null });
  live.attach = attach;
  const field = root.querySelector("input");
  if (field === null) throw new Error("no field");
  const type = (text: string) =>
    act(() => {
      field.value = text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
  type("12 34");
  press(t("cobrowse.code.go"));
  expect([attach.mock.calls, root.textContent?.includes(t("cobrowse.code.wrong"))]).toEqual([[], true]);
  type("１２３ 456");
  press(t("cobrowse.code.go"));
  expect(attach.mock.calls).toEqual([["123456"]]);
  show({ share: null }, "expert");
  expect([root.querySelector("input"), mayAttach(ui.call)]).toEqual([null, false]);
  expect(root.textContent).toContain(t("cobrowse.none.text"));
});

it("shows on each step of the ladder how it stands, and asks for what is not granted", () => {
  show({ granted: ["view", "point"], refused: ["click"] });
  expect(steps()).toEqual(["granted", "granted", "open", "open", "refused"]);
  press(`${t("cobrowse.ask")}: ${t("cobrowse.scope.fill")}`);
  press(`${t("cobrowse.ask")}: ${t("cobrowse.scope.click")}`);
  expect(asked).toEqual(["fill", "click"]);
  told({ waits_for: ["fill"] });
  expect(steps()[3]).toBe("asked");
  expect(button(`${t("cobrowse.ask")}: ${t("cobrowse.scope.scroll")}`)?.disabled).toBe(true); // one question at a time
  told({ waits_for: [] }, ["view", "point", "fill"]);
  expect(steps()).toEqual(["granted", "granted", "open", "granted", "refused"]);
  const release = vi.fn();
  live.release = release;
  press(`${t("cobrowse.release")}: ${t("cobrowse.scope.fill")}`);
  expect(release.mock.calls).toEqual([["fill"]]);
});

it("has the tools of what is granted, and puts one away that is taken back", () => {
  show({ granted: ["view"] });
  expect(button(t("cobrowse.tool.point"))).toBeUndefined();
  told({}, ["view", "point", "fill"]);
  expect([button(t("cobrowse.tool.point")), button(t("cobrowse.tool.fill"))].every(Boolean)).toBe(true);
  expect(button(t("cobrowse.tool.click"))).toBeUndefined();
  press(t("cobrowse.tool.fill"));
  act(() => void (ui.page.fills.value = { node: 7, kind: "field", what: "Amount", page: 1 }));
  expect([ui.page.tool.value, document.querySelector("[role=dialog]") !== null]).toEqual(["fill", true]);
  told({}, ["view", "point"]);
  const words = () => [...document.querySelectorAll("[role=dialog] .pair button")].map((one) => one.textContent?.trim());
  expect([words(), button(t("cobrowse.tool.fill")), ui.page.tool.value]).toEqual([[t("cobrowse.fill.propose")], undefined, "fill"]); // proposing needs no more than pointing
  expect(button(t("cobrowse.tool.propose"))).toBeDefined();
  told({}, ["view", "fill"]);
  expect([words(), document.querySelector("[role=dialog]")?.textContent?.includes(t("cobrowse.fill.text"))]).toEqual([[t("cobrowse.fill.now")], false]);
  told({}, ["view", "scroll"]);
  expect([ui.page.tool.value, ui.page.fills.value, document.querySelector("[role=dialog]")]).toEqual(["none", null, null]);
});

it("lists the fields in error that the picture has, and brings one into view", () => {
  show({ granted: ["view"], state: { errors: 3, fields: [7, 8, 9] } });
  const journey = () => root.querySelector(`[aria-label="${t("cobrowse.journey")}"]`)?.textContent ?? "";
  expect([journey().includes("3"), journey().includes(t("cobrowse.journey.others", { n: 3 }))]).toEqual([true, false]);
  act(() => void (ui.page.wrong.value = [7, 8, 5].map((node) => ({ node, kind: "field" as const, what: node === 7 ? "Amount" : "" }))));
  expect(journey()).toContain(t("cobrowse.journey.others", { n: 1 }));
  press(t("cobrowse.journey.field"));
  expect(ui.page.sought.value).toEqual({ node: 8 });
  press("Amount");
  expect(ui.page.sought.value).toEqual({ node: 7 });
  told({ errors: 1, fields: [8] });
  expect([button("Amount"), button(t("cobrowse.journey.field")) !== undefined]).toEqual([undefined, true]);
  told({ errors: 0, fields: [] });
  expect(button(t("cobrowse.journey.field"))).toBeUndefined();
});

it("proposes what is typed, unless told to fill it in", () => {
  const done = vi.fn();
  show({ granted: ["view", "point", "fill"] }, "agent", pageUi(true, "fill", { node: 7, kind: "field", what: "Amount", page: 3 }));
  live.act = done;
  const type = (text: string) =>
    act(() => {
      const field = document.querySelector<HTMLInputElement>("[role=dialog] input");
      if (field === null) throw new Error("no field");
      field.value = text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
  type("250");
  act(() => void document.querySelector("[role=dialog] form")?.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true })));
  expect(done.mock.calls).toEqual([[3, 7, "propose", "Amount", "250"]]);
  expect(document.querySelector("[role=dialog]")).toBeNull();
  act(() => void (ui.page.fills.value = { node: 8, kind: "field", what: "", page: 3 }));
  expect(document.querySelector("[role=dialog]")?.textContent).toContain(t("cobrowse.fill.nameless"));
  expect(document.querySelector<HTMLInputElement>("[role=dialog] input")?.value).toBe(""); // what was typed for another field is not
  type("9");
  act(() => [...document.querySelectorAll<HTMLElement>("[role=dialog] .pair > button")][0]?.click());
  expect(done.mock.lastCall).toEqual([3, 8, "fill", "", "9"]);
});

it("says what the customer gives, refuses and takes back, and what came of an act", () => {
  show({ granted: ["view"], acts: [{ act: "1", kind: "propose", what: "Amount", outcome: null }] });
  vi.mocked(announce).mockClear();
  told({}, ["view", "point"]);
  act(() => void (live.refused.value = new Set(["click"])));
  told({}, ["view"]);
  act(() => void (live.acts.value = [{ act: "1", kind: "propose", what: "Amount", outcome: "dismissed" }]));
  told({ state: "paused" });
  expect(said()).toEqual([
    t("cobrowse.said.granted", { scope: t("cobrowse.scope.point") }),
    t("cobrowse.said.refused", { scope: t("cobrowse.scope.click") }),
    t("cobrowse.said.taken", { scope: t("cobrowse.scope.point") }),
    `${t("cobrowse.act.propose", { what: "Amount" })}: ${t("cobrowse.outcome.dismissed")}`,
    t("cobrowse.paused.title"),
  ]);
});

it("has words for every outcome", () => {
  expect(outcomeWords({ kind: "propose", outcome: "done" })).toBe(t("cobrowse.outcome.accepted"));
  expect(outcomeWords({ kind: "click", outcome: "done" })).toBe(t("cobrowse.outcome.done"));
  expect(outcomeWords({ kind: "propose", outcome: null })).toBe(t("cobrowse.outcome.waits.propose"));
  for (const outcome of ["refused", "gone", "late", "dismissed"] as const) expect(outcomeWords({ kind: "fill", outcome })).toBe(t(`cobrowse.outcome.${outcome}`));
  expect(actWords({ kind: "scroll", what: "" })).toBe(t("cobrowse.act.scroll", { what: t("cobrowse.place") }));
});

it("lists the others and what they may do", () => {
  show({ others: [{ id: "PA_e", name: "Eve", role: "expert", granted: ["view", "point"] }, { id: "PA_s", name: " ", role: "supervisor", granted: [] }] });
  const list = root.querySelector(`[aria-label="${t("cobrowse.viewers")}"]`)?.textContent ?? "";
  expect(list).toContain(`Eve${t("cobrowse.scope.view")}${t("list.separator")}${t("cobrowse.scope.point")}`);
  expect(list).toContain(`${t("role.supervisor")}${t("cobrowse.viewer.nothing")}`);
});
