/** The customer's page beside the conversation, in its states. */
import { signal } from "@preact/signals";
import type { ActNow, CoBrowse } from "../core/cobrowse";
import type { Mark, Scope, ShareState, ViewState, Viewer } from "../cobrowse.gen";
import { Workbench } from "../pages/agent/Workbench";
import { CallView } from "../pages/session/CallView";
import type { CallViewProps } from "../pages/session/CallView";
import { pageUi } from "../pages/session/cobrowse/state";
import type { PageUi } from "../pages/session/cobrowse/state";
import type { Panel } from "../pages/session/ui";
import type { Role } from "../protocol.gen";
import { PAGE, pageEvents } from "./cobrowsePage";
import { LEAD, NAMES, fakeCall, fakeDesk, person, site, zh } from "./fakes";
import type { FakeCall } from "./fakes";
import type { Story } from "./list";

const ALL: readonly Scope[] = ["view", "point", "scroll", "fill", "click"];
const SHARE = "SH_1";

interface Setting {
  state?: Partial<ViewState>;
  granted?: readonly Scope[];
  others?: Viewer[];
  share?: string | null;
  line?: CoBrowse["line"]["value"];
  ended?: string;
  refused?: Scope[];
  pictured?: boolean;
  marks?: Mark[];
  pointer?: boolean;
  acts?: ActNow[];
  trip?: CoBrowse["roundTrip"]["value"];
  attachRefused?: string;
  attaching?: boolean;
  problem?: string;
  called?: CoBrowse["called"]["value"];
}

const expert = (granted: Scope[]): Viewer => ({ id: "PA_e", name: NAMES.expert(), role: "expert", granted });

/** Stands still, but for the ladder, which answers by itself. */
export function fakeCobrowse(setting: Setting = {}): CoBrowse {
  const me: Viewer = { id: "PA_me", name: NAMES.agent(), role: "agent", granted: [...(setting.granted ?? ["view"])] };
  const shareState: ShareState = me.granted.includes("view") ? "sharing" : "attached";
  const base: ViewState = { type: "view.state", state: shareState, viewer: "PA_me", page: 1, name: zh() ? "转账" : "Transfer", front: true, hidden: false, viewers: [me, ...(setting.others ?? [])], waits_for: [], step: zh() ? "填写收款信息" : "Who gets it", errors: 1, fields: [PAGE.amount], dwell_s: 94, customer: "CIF 8842 1907", apart: false, ...setting.state };
  const share = setting.share === undefined ? SHARE : setting.share;
  const line = setting.line ?? (share === null ? "off" : "live");
  const state = signal<ViewState | null>(share === null || line === "over" || line === "connecting" ? null : base);
  const granted = (change: (scopes: readonly Scope[]) => Scope[]): void => {
    if (state.value !== null) state.value = { ...state.value, viewers: state.value.viewers.map((one) => (one.id === "PA_me" ? { ...one, granted: change(one.granted) } : one)) };
  };
  const marks = signal<readonly Mark[]>(setting.marks ?? []);
  return {
    share: signal(share),
    site: signal(zh() ? "远江银行网银" : "Yuanjiang online banking"),
    attaching: signal(setting.attaching ?? false),
    attachRefused: signal(setting.attachRefused ?? null),
    line: signal(line),
    ended: signal(setting.ended ?? null),
    state,
    refused: signal(new Set(setting.refused ?? [])),
    pictured: signal(setting.pictured ?? me.granted.includes("view")),
    marks,
    pointers: signal(new Map(setting.pointer === true ? [["PA_e", { node: PAGE.heading, x: 0.6, y: 0.5 }]] : [])),
    acts: signal(setting.acts ?? []),
    roundTrip: signal(setting.trip === undefined ? { serverMs: 18, tabMs: 31 } : setting.trip),
    called: signal(setting.called ?? "none"),
    call: () => undefined,
    problem: signal(setting.problem ?? null),
    attach: () => undefined,
    detach: () => undefined,
    look: () => undefined,
    leave: () => undefined,
    ask: (scope) => granted((scopes) => [...scopes, scope]),
    release: (scope) => granted((scopes) => scopes.filter((one) => one !== scope)),
    resync: () => undefined,
    read: (reader) => {
      pageEvents().forEach((text, index) => reader.event({ page: 1, text, begins: index === 0 }));
      return () => undefined;
    },
    point: () => undefined,
    mark: (page, kind, spots) => void (marks.value = [...marks.value, { type: "mark", id: `own${marks.value.length}`, page, kind, spots: [...spots], viewer: "" }]),
    undo: () => void (marks.value = marks.value.slice(0, -1)),
    clear: () => void (marks.value = []),
    act: () => undefined,
    clearProblem: () => undefined,
  };
}

const mark = (id: string, kind: Mark["kind"], viewer: string, ...spots: [number, number, number][]): Mark => ({ type: "mark", id, page: 1, kind, viewer, spots: spots.map(([node, x, y]) => ({ node, x, y })) });
const MARKS: Mark[] = [
  mark("1", "highlight", "", [PAGE.amount, 0.5, 0.5]),
  mark("2", "arrow", "PA_e", [PAGE.advert, 0, 0.2], [PAGE.advert, 0.7, 0.9]),
  mark("3", "ink", "", [PAGE.heading, 0, 0.9], [PAGE.heading, 0.03, 1], [PAGE.heading, 0.06, 0.9], [PAGE.heading, 0.09, 1], [PAGE.heading, 0.12, 0.9]),
];
const ACTS: () => ActNow[] = () => {
  const amount = zh() ? "金额" : "Amount";
  return [
    { act: "4", kind: "propose", what: amount, outcome: null },
    { act: "3", kind: "click", what: zh() ? "确认转账" : "Send the transfer", outcome: "refused" },
    { act: "2", kind: "propose", what: amount, outcome: "done" },
    { act: "1", kind: "scroll", what: "", outcome: "gone" },
  ];
};

function call(setting: Setting, role: Role = "agent"): FakeCall {
  const name = role === "expert" ? NAMES.expert() : NAMES.agent();
  const grants = role === "expert" ? ["chat", "cobrowse.view"] : [...LEAD, "cobrowse.view"];
  return { ...fakeCall({ me: person("PA_me", role, name), others: [person("PA_c", "customer", NAMES.customer()), person("PA_e", role === "expert" ? "agent" : "expert", role === "expert" ? NAMES.agent() : NAMES.expert())], grants }), cobrowse: fakeCobrowse(setting) };
}

/** At the desk; the panel stands open where there is room for it. */
function desk(name: string, setting: () => Setting, page: () => PageUi = () => pageUi(true), props: Partial<CallViewProps> = {}): Story {
  const panel = (): Panel => (matchMedia("(min-width: 1024px)").matches ? "cobrowse" : "none");
  return { name: `page-${name}`, make: () => <Workbench desk={fakeDesk({ call: call(setting()) })} site={site()} callProps={{ page: page(), panel: panel(), ...props }} /> };
}

export const cobrowseStories: Story[] = [
  desk("code", () => ({ share: null })),
  desk("code-refused", () => ({ share: null, attachRefused: "not_found" })),
  desk("code-busy", () => ({ share: null, attaching: true })),
  desk("ended", () => ({ share: null, line: "over", ended: "ended" })),
  desk("lost", () => ({ line: "over", ended: "too_many" })),
  desk("offer", () => ({ granted: [] }), () => pageUi(false), { panel: "none" }),
  desk("connecting", () => ({ line: "connecting" })),
  desk("look", () => ({ granted: [] })),
  desk("asked", () => ({ granted: [], state: { waits_for: ["view"] } })),
  desk("refused", () => ({ granted: [], refused: ["view"] })),
  desk("coming", () => ({ pictured: false })),
  desk("paused", () => ({ state: { state: "paused" } })),
  desk("alone", () => ({ granted: ["view"], state: { apart: true } }), undefined, { panel: "cobrowse" }),
  desk("alone-refused", () => ({ granted: ["view"], state: { apart: true }, called: "refused" }), undefined, { panel: "cobrowse" }),
  desk("hidden", () => ({ state: { hidden: true, name: zh() ? "登录" : "Login" }, pictured: false })),
  desk("gone", () => ({ state: { front: false } })),
  desk("seen", () => ({ trip: null })),
  desk("reconnecting", () => ({ line: "reconnecting", trip: null })),
  desk("point", () => ({ granted: ["view", "point"], marks: MARKS, pointer: true, others: [expert(["view", "point"])] }), () => pageUi(true, "highlight")),
  desk("ladder", () => ({ granted: ["view", "point"], state: { waits_for: ["fill"] }, refused: ["click"], others: [expert([])] }), () => pageUi(true), { panel: "cobrowse" }),
  desk("all", () => ({ granted: ALL, acts: ACTS(), marks: MARKS.slice(0, 1), others: [expert(["view"])], trip: { serverMs: 210, tabMs: 480 }, problem: "too_many" }), () => pageUi(true, "fill")),
  desk("fill", () => ({ granted: ALL, acts: ACTS() }), () => pageUi(true, "fill", { node: PAGE.amount, page: 1, kind: "field", what: zh() ? "金额" : "Amount" })),
  desk("propose", () => ({ granted: ["view", "point"], acts: ACTS() }), () => pageUi(true, "fill", { node: PAGE.amount, page: 1, kind: "field", what: zh() ? "金额" : "Amount" })),
  desk("acts", () => ({ granted: ALL, acts: ACTS(), others: [expert(["view", "point"]), { id: "PA_s", name: NAMES.long(), role: "supervisor", granted: [] }] }), () => pageUi(true, "click"), { panel: "cobrowse" }),
  { name: "page-expert", make: () => <CallView call={call({ granted: ["view", "point"], marks: MARKS, others: [{ id: "PA_a", name: NAMES.agent(), role: "agent", granted: [...ALL] }] }, "expert")} variant="expert" panel="none" page={pageUi(true, "point")} /> },
  { name: "page-expert-none", make: () => <CallView call={call({ share: null }, "expert")} variant="expert" panel="none" page={pageUi(true)} /> },
];
