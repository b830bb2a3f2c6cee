/** Recording, in the session: the light, the question, what stands behind them, the agent's panel. */
import { CallView } from "../pages/session/CallView";
import type { CallViewProps } from "../pages/session/CallView";
import { Workbench } from "../pages/agent/Workbench";
import type { ChecklistItem, RecordingChanged, Role } from "../protocol.gen";
import { NAMES, fakeCall, fakeDesk, person, site } from "./fakes";
import type { CallSetting } from "./fakes";
import type { Story } from "./list";

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
const agent = () => person("PA_agent", "agent", NAMES.agent());
const customer = () => person("PA_c", "customer", NAMES.customer());
const expert = () => person("PA_e", "expert", NAMES.expert());

const running = (change: Partial<RecordingChanged> = {}): Partial<RecordingChanged> => ({ state: "on", id: "RE_1", started_at: ago(187), recorded: ["PA_me", "PA_agent", "PA_c"], ...change });

const POINTS: readonly [string, string, string][] = [
  ["identity", "已核对客户身份", "The customer’s identity was checked"],
  ["risk", "已向客户讲解风险，客户表示理解", "The risk was explained, and the customer has understood it"],
  ["fees", "已说明费用和提前赎回的条件", "Fees and the terms of an early redemption were named"],
  ["agree", "客户确认购买", "The customer confirms the purchase"],
];

const checklist = (done: number): ChecklistItem[] => POINTS.map(([item, zh, en], index) => ({ item, zh, en, done_at: index < done ? ago(140 - index * 40) : null, by: index < done ? "PA_me" : null }));

function view(name: string, setting: () => CallSetting, props: Partial<CallViewProps> = {}, variant: Role = "customer"): Story {
  return { name: `recording-${name}`, make: () => <CallView call={fakeCall(setting())} variant={variant} {...props} /> };
}

function bench(name: string, recording: () => Partial<RecordingChanged>, callProps: Partial<CallViewProps> = { panel: "recording" }): Story {
  const make = () => {
    const call = fakeCall({ me: person("PA_me", "agent", NAMES.agent()), others: [customer(), expert()], speaking: ["PA_c"], recording: recording() });
    return <Workbench desk={fakeDesk({ call })} site={site()} callProps={callProps} />;
  };
  return { name: `bench-recording-${name}`, make };
}

const BOTH: CallSetting["consents"] = [
  ["microphone", "given"],
  ["camera", "given"],
];

export const recordingStories: Story[] = [
  view("on", () => ({ recording: running(), consents: [...BOTH, ["recording", "given"]], speaking: ["PA_agent"] })),
  view("on-chat", () => ({ recording: running({ started_at: ago(4_015) }), consents: [...BOTH, ["recording", "given"]] }), { panel: "chat" }),
  view("paused", () => ({ recording: running({ state: "paused", recorded: [] }), consents: [...BOTH, ["recording", "given"]] })),
  view("failed", () => ({ recording: running({ state: "failed", recorded: [], problem: "disk" }), consents: [...BOTH, ["recording", "given"]] })),
  view("asking", () => ({ recording: running({ state: "asking", started_at: null, recorded: [], missing: [] }), consents: [...BOTH, ["recording", "refused"]] })),
  view("question", () => ({ recording: running({ state: "asking", started_at: null, recorded: [], missing: ["PA_me"] }) })),
  view("question-short", () => ({ recording: running({ state: "asking", started_at: null, recorded: [], missing: ["PA_me"], retention_days: 90 }) })),
  view("who", () => ({ recording: running(), others: [agent(), expert()], consents: [...BOTH, ["recording", "given"]] }), { open: { kind: "recording" } }),
  view("who-not-me", () => ({ recording: running({ recorded: ["PA_agent"], retention_days: 0 }), others: [agent(), expert()], consents: [...BOTH, ["recording", "withdrawn"]] }), { open: { kind: "recording" } }),
  view("sharing", () => ({ recording: running(), consents: [...BOTH, ["recording", "given"]] }), { open: { kind: "sharing" } }),
  bench("off", () => ({ checklist: checklist(0) })),
  bench("asking", () => running({ state: "asking", started_at: null, recorded: [], missing: ["PA_c", "PA_e"], checklist: checklist(0) })),
  bench("on", () => running({ missing: ["PA_e"], checklist: checklist(2) })),
  bench("again", () => running({ started_at: ago(90), checklist: checklist(2) })),
  bench("paused", () => running({ state: "paused", recorded: [], checklist: checklist(3) })),
  bench("failed", () => running({ state: "failed", recorded: [], problem: "recorder", checklist: checklist(3) })),
  bench("question", () => running({ state: "asking", started_at: null, recorded: [], missing: ["PA_me"], checklist: checklist(0) }), { panel: "none" }),
];
