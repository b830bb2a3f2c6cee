/** Gates, hand-over and supervision in their states. */
import { HandoverDialog } from "../pages/agent/HandoverDialog";
import { Workbench } from "../pages/agent/Workbench";
import { Done } from "../pages/customer/Done";
import { ArriveError, Invited } from "../pages/customer/Arrive";
import { Wait } from "../pages/customer/Wait";
import { ExpertArrival } from "../pages/expert/ExpertArrival";
import { CallView } from "../pages/session/CallView";
import type { CallViewProps } from "../pages/session/CallView";
import { WaitingRoom } from "../pages/session/WaitingRoom";
import type { HandoverNow, Offer } from "../core/model";
import type { Role } from "../protocol.gen";
import { codeText, problemTitle } from "../ui/problems";
import { NAMES, fakeCall, fakeDesk, fakeDevices, person, preview, session, site, zh } from "./fakes";
import type { CallSetting } from "./fakes";
import type { Story } from "./list";

const nothing = () => undefined;
const never = () => new Promise<never>(nothing);
const li = () => person("PA_li", "agent", NAMES.agent());
const chen = () => person("PA_chen", "agent", zh() ? "陈思远" : "Siyuan Chen");
const customer = (held = false) => person("PA_c", "customer", NAMES.customer(), ["microphone", "camera"], { on_hold: held });
const expert = () => person("PA_e", "expert", NAMES.expert());
const listener = () => person("PA_s", "supervisor", zh() ? "赵岚" : "Lan Zhao", [], { listens: true });
const outside = () => [person("PA_w1", "expert", NAMES.expert(), [], { waits: true }), person("PA_w2", "customer", NAMES.long(), [], { waits: true, state: "disconnected" })];
const LEADS = { id: "PA_li" } as const;

function now(state: HandoverNow["state"], part: Partial<HandoverNow> = {}): HandoverNow {
  return { state, warm: false, from: LEADS.id, fromName: NAMES.agent(), to: "PA_chen", toName: chen().name, ...part };
}

/** At the desk, in a call. */
function desk(name: string, setting: () => CallSetting, props: Partial<CallViewProps> | (() => Partial<CallViewProps>) = { panel: "none" }): Story {
  return {
    name: `people-${name}`,
    make: () => (
      <Workbench
        desk={fakeDesk({ call: fakeCall({ me: li(), others: [customer(), expert()], quality: [["PA_li", "good"]], ...setting() }) })}
        site={site()}
        callProps={typeof props === "function" ? props() : props}
      />
    ),
  };
}

function call(name: string, setting: () => CallSetting, variant: Role = "customer"): Story {
  return { name: `people-${name}`, make: () => <CallView call={fakeCall(setting())} variant={variant} panel="none" /> };
}

function offers(...parts: Partial<Offer>[]): Offer[] {
  return parts.map((part, n) => ({
    session: session({ id: `SE_o${n}` }),
    fromName: NAMES.agent(),
    warm: false,
    note: zh() ? "卡已挂失，还需补办新卡并更换预留手机号。客户听力稍弱，请放慢语速。" : "The card is blocked; a new one and the phone number are still to do. Hard of hearing: please speak slowly.",
    lost: false,
    fromMs: Date.now() - 7_500,
    untilMs: Date.now() + 22_500,
    ...part,
  }));
}

const held = () => person("PA_me", "customer", NAMES.customer(), ["microphone", "camera"], { on_hold: true });
const inWords = () => ({ others: [li(), expert()] });
const lostAgent = () => person("PA_li", "agent", NAMES.agent(), [], { state: "disconnected" });
const soon = (ms: number) => ({ untilMs: Date.now() + ms });

export const peopleStories: Story[] = [
  // gates
  desk("waiting", () => ({ people: { waiting: outside() } })),
  desk("waiting-list", () => ({ people: { waiting: outside() }, session: session({ waiting_room: true, locked: true }) }), { panel: "people" }),
  desk("gates", () => ({}), { panel: "people" }),
  desk("refuse", () => ({ people: { waiting: outside() } }), () => ({ panel: "none", open: { kind: "refuse", person: outside()[0] ?? expert() } })),
  desk("role", () => ({}), () => ({ panel: "none", open: { kind: "role", person: expert() } })),
  desk("role-by-supervisor", () => ({ me: person("PA_s", "supervisor", NAMES.agent()) }), () => ({ panel: "none", open: { kind: "role", person: expert() } })),
  { name: "people-lobby", make: () => <WaitingRoom site={site()} onLeave={nothing} call={fakeCall({ me: person("PA_me", "expert", NAMES.expert(), [], { waits: true }), others: [] })} /> },
  {
    name: "people-lobby-offline",
    make: () => <WaitingRoom site={site()} onLeave={nothing} call={fakeCall({ phase: "reconnecting", others: [], devices: fakeDevices({ preview: null, cameraOn: false }) })} />,
  },
  { name: "people-locked-page", make: () => <ArriveError site={site()} title={problemTitle({ code: "locked", detail: "", retryAfterS: null })} text={codeText("locked")} onRetry={nothing} onOther={nothing} /> },
  { name: "people-locked", make: () => <Invited site={site()} preview={preview()} busy={false} error={codeText("locked")} onStart={nothing} /> },
  { name: "people-locked-expert", make: () => <ExpertArrival site={site()} preview={preview({ role: "expert", name: NAMES.expert(), context: session().context })} busy={false} error={codeText("locked")} onJoin={nothing} /> },
  { name: "people-refused", make: () => <Done site={site()} session={null} because="refused" expert onAgain={nothing} /> },
  { name: "people-revoked", make: () => <Done site={site()} session={session()} because="revoked" onAgain={nothing} /> },
  // hand-over, at the desk of whoever leads
  desk("handover-ask", () => ({}), { panel: "none", open: { kind: "handover" } }),
  { name: "people-handover-loading", make: () => <HandoverDialog desk={fakeDesk({ colleagues: never })} call={fakeCall()} onClose={nothing} /> },
  { name: "people-handover-nobody", make: () => <HandoverDialog desk={fakeDesk({ colleagues: async () => [] })} call={fakeCall()} onClose={nothing} /> },
  {
    name: "people-handover-failed",
    make: () => <HandoverDialog desk={fakeDesk({ colleagues: () => Promise.reject({ code: "offline", detail: "", retryAfterS: null }) })} call={fakeCall()} onClose={nothing} />,
  },
  desk("handover-offered", () => ({ people: { handover: now("offered", { to: null, toName: "" }) } })),
  desk("handover-declined", () => ({ people: { handover: now("declined") } })),
  desk("handover-expired", () => ({ people: { handover: now("expired", { to: null, toName: "" }) } })),
  desk("handover-not-come", () => ({ people: { handover: now("expired") } })),
  desk("handover-cancelled", () => ({ people: { handover: now("cancelled", { to: null, toName: "" }) } })),
  desk("handover-accepted", () => ({ people: { handover: now("accepted", { toName: NAMES.long() }) } })),
  desk("handover-here", () => ({ others: [customer(), chen()], people: { handover: now("here") } })),
  desk("handover-warm", () => ({ others: [customer(true), chen()], people: { handover: now("here", { warm: true }) } })),
  desk("handover-mine-warm", () => ({ me: chen(), others: [customer(true), li()], people: { handover: now("here", { warm: true }) } })),
  desk("handover-mine-done", () => ({ me: chen(), others: [customer()], people: { handover: now("done") } })),
  { name: "people-handed-over", make: () => <Workbench desk={fakeDesk({ call: fakeCall({ me: li(), phase: "ended", ended: "handed_over" }) })} site={site()} /> },
  { name: "people-taken-over", make: () => <Workbench desk={fakeDesk({ call: fakeCall({ me: li(), phase: "ended", ended: "taken_over" }) })} site={site()} /> },
  // the customer
  call("customer-handover", () => ({ ...inWords(), people: { handover: now("accepted") } })),
  call("customer-here", () => ({ others: [li(), chen()], people: { handover: now("here") } })),
  call("customer-done", () => ({ others: [chen()], people: { handover: now("done") } })),
  call("customer-taken-over", () => ({ others: [person("PA_chen", "supervisor", chen().name)], people: { handover: now("done") } })),
  call("customer-warm", () => ({ me: held(), others: [li(), chen()], people: { handover: now("here", { warm: true }) } })),
  call("expert-handover", () => ({ me: person("PA_me", "expert", NAMES.expert()), others: [customer(), li()], people: { handover: now("accepted") } }), "expert"),
  call("lost", () => ({ others: [lostAgent()], people: { lost: soon(48_000) } })),
  call("lost-soon", () => ({ others: [lostAgent(), expert()], people: { lost: soon(5_000) } })),
  call("lost-over", () => ({ others: [lostAgent()], people: { lost: soon(-1_000) } })),
  call("lost-coming", () => ({ others: [lostAgent()], people: { lost: soon(30_000), handover: now("accepted") } })),
  call("lost-expert", () => ({ me: person("PA_me", "expert", NAMES.expert()), others: [customer(), lostAgent()], people: { lost: soon(48_000) } }), "expert"),
  call("back", () => ({ others: [li()], people: { back: true } })),
  { name: "people-requeued", make: () => <Wait site={site()} call={fakeCall({ phase: "waiting", others: [], queue: { position: 1, estimatedWaitS: 60 }, people: { requeued: true } })} onCheck={nothing} /> },
  // offers
  { name: "people-offer", make: () => <Workbench desk={fakeDesk({ offers: offers({}) })} site={site()} /> },
  { name: "people-offer-lost", make: () => <Workbench desk={fakeDesk({ offers: offers({ lost: true, note: "" }) })} site={site()} /> },
  {
    name: "people-offers-in-call",
    make: () => (
      <Workbench
        desk={fakeDesk({ call: fakeCall({ me: li(), others: [customer()] }), offers: offers({ warm: true, fromName: NAMES.long(), session: session({ id: "SE_o9", customer_name: NAMES.arabic(), reason: NAMES.long() }) }, { note: "" }) })}
        site={site()}
      />
    ),
  },
  // supervision
  call("customer-listened", () => ({ others: [li(), listener()] })),
  desk("listened", () => ({ others: [customer(), listener(), person("PA_s2", "supervisor", NAMES.long(), [], { listens: true })] })),
  desk("takeover", () => ({ me: person("PA_s", "supervisor", NAMES.expert(), [], { listens: true }), others: [customer(), li()] }), { panel: "none", open: { kind: "takeover" } }),
  desk("supervisor", () => ({ me: person("PA_s", "supervisor", NAMES.expert()), others: [customer(), li()] }), { panel: "people" }),
];
