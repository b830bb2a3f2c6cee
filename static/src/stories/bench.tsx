/** The agent's pages in their states. */
import { InviteDialog } from "../pages/agent/Invite";
import { KeysDialog, SettingsDialog } from "../pages/agent/Help";
import { LoginPage } from "../pages/agent/Login";
import { EditableSummary } from "../pages/agent/Summary";
import { Workbench } from "../pages/agent/Workbench";
import type { WorkbenchProps } from "../pages/agent/Workbench";
import { t } from "../i18n";
import { Dialog } from "../ui/Dialog";
import { codeText } from "../ui/problems";
import QrCode from "../ui/QrCode";
import { NAMES, alone, fakeCall, fakeDesk, invitation, message, person, session, site, waiting, zh } from "./fakes";
import type { CallSetting } from "./fakes";
import { fakeOnSite, someVisitors } from "./onSite";
import type { Story } from "./list";

const nothing = () => undefined;
const me = () => person("PA_me", "agent", NAMES.agent());
const customer = () => person("PA_c", "customer", NAMES.customer());
const expert = () => person("PA_e", "expert", NAMES.expert());

function bench(name: string, desk: () => WorkbenchProps["desk"], props: Partial<WorkbenchProps> | (() => Partial<WorkbenchProps>) = {}): Story {
  return { name: `bench-${name}`, make: () => <Workbench desk={desk()} site={site()} {...(typeof props === "function" ? props() : props)} /> };
}

const inCall = (setting: CallSetting = {}) => () =>
  fakeDesk({ call: fakeCall({ me: me(), others: [customer(), expert()], speaking: ["PA_c"], quality: [["PA_me", "good"], ["PA_c", "fair"], ["PA_e", "good"]], ...setting }) });

function longOnes() {
  return waiting().map((entry, index) => ({ ...entry, customer_name: index ? NAMES.arabic() : NAMES.long(), reason: index ? "فقدان البطاقة المصرفية" : NAMES.long().repeat(2) }));
}

export const benchStories: Story[] = [
  { name: "login", make: () => <LoginPage site={site()} busy={false} error={null} onLogin={nothing} /> },
  { name: "login-wrong", make: () => <LoginPage site={site()} busy={false} error={codeText("unauthenticated")} onLogin={nothing} /> },
  bench("home", () => fakeDesk()),
  bench("arrived", () => fakeDesk({ inside: alone() })),
  bench("arrived-alone", () => fakeDesk({ inside: alone(), waiting: [] }), { list: "sessions" }),
  bench("loading", () => fakeDesk({ state: "connecting", waiting: [] })),
  bench("empty", () => fakeDesk({ waiting: [], sessions: [] })),
  bench("offline", () => fakeDesk({ state: "reconnecting" })),
  bench("long-names", () => fakeDesk({ waiting: longOnes() })),
  bench("sessions", () => fakeDesk(), () => ({ list: "sessions", view: { kind: "session", session: session(), invitation: null } })),
  bench("on-site", () => fakeDesk(), { list: "onsite" }),
  bench("on-site-offered", () => fakeDesk({ onSite: fakeOnSite(someVisitors().map((one, index) => ({ ...one, offer: index ? one.offer : "open" }))) }), { list: "onsite" }),
  bench("on-site-off", () => fakeDesk({ onSite: fakeOnSite([], false) }), { list: "onsite" }),
  bench("many-sessions", () => fakeDesk({ sessions: Array.from({ length: 9 }, (_, n) => session({ id: `SE_00000000${n}`, customer_name: n % 3 ? NAMES.customer() : NAMES.arabic() })) }), { list: "sessions" }),
  { name: "bench-qr", make: () => <Dialog title={t("qr.title")} onClose={nothing}><p class="soft">{t("qr.under")}</p><QrCode text="https://bank.example/j/x7Qk2mVd9TzLr4WbYc8NsA" label={t("qr.label")} /></Dialog> },
  bench("create", () => fakeDesk(), { view: { kind: "create" } }),
  bench("created", () => fakeDesk(), () => ({ list: "sessions", view: { kind: "session", session: session(), invitation: invitation("customer", NAMES.customer()) } })),
  bench("start", inCall({ consents: [] })),
  bench("start-again", inCall({ resumed: false })),
  bench("call", inCall()),
  { name: "bench-summary-edit", make: () => <main class="bench-page"><EditableSummary desk={fakeDesk()} session={session()} editing /></main> },
  bench("call-walk-in", inCall({ session: session({ customer_reference: "", context: "" }), others: [customer()] })),
  bench("call-people", inCall(), { callProps: { panel: "people" } }),
  bench("call-on-hold", () => inCall({ others: [person("PA_c", "customer", NAMES.customer(), ["microphone", "camera"], { on_hold: true }), person("PA_e", "expert", NAMES.expert(), ["microphone"], { muted: true })] })(), { callProps: { panel: "people" } }),
  bench(
    "call-chat",
    () => inCall({ chat: [message(1, customer(), zh() ? "我的卡今天早上丢了。" : "I lost my card this morning."), message(2, me(), zh() ? "好的，我先帮您挂失。" : "I will block it first.")], seen: [["PA_c", 2]] })(),
    { callProps: { panel: "chat" } },
  ),
  bench("call-listening", () => inCall({ me: person("PA_me", "supervisor", NAMES.agent(), [], { listens: true }), others: [customer(), person("PA_a", "agent", NAMES.expert())] })()),
  bench("call-whispering", () => inCall({ me: person("PA_me", "supervisor", NAMES.agent(), ["microphone"], { listens: true }), others: [customer(), person("PA_a", "agent", NAMES.expert())], whispers: { by: "PA_me", to: "PA_a" } })()),
  bench("call-whispered", () => inCall({ others: [customer(), person("PA_s", "supervisor", NAMES.expert(), [], { listens: true })], whispers: { by: "PA_s", to: "PA_me" } })(), { callProps: { panel: "people" } }),
  bench("call-ask", inCall(), { callProps: { open: { kind: "ask" }, panel: "none" } }),
  bench("call-end", inCall(), { callProps: { open: { kind: "end" }, panel: "none" } }),
  bench("call-remove", inCall(), () => ({ callProps: { open: { kind: "remove", person: expert() }, panel: "none" } })),
  bench("call-ended", () => fakeDesk({ call: fakeCall({ me: me(), phase: "ended", ended: "session_ended" }) })),
  { name: "bench-invite", make: () => <InviteDialog desk={fakeDesk()} session={session()} onClose={nothing} /> },
  { name: "bench-invited", make: () => <InviteDialog desk={fakeDesk()} session={session()} made={invitation("expert", NAMES.expert())} onClose={nothing} /> },
  { name: "bench-keys", make: () => <KeysDialog onClose={nothing} /> },
  { name: "bench-settings", make: () => <SettingsDialog onClose={nothing} /> },
];
