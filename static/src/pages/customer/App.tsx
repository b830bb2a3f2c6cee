/** The customer's and the expert's way: arrive → (check → consents → wait) → session → done. */
import { signal, useSignal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { Api, Call } from "../../core/model";
import { language, t } from "../../i18n";
import type { InvitationPreview, Site } from "../../protocol.gen";
import { Announcer } from "../../ui/announce";
import { Confirm } from "../../ui/Dialog";
import { suggestLanguage } from "../../ui/prefs";
import { asProblem, problemText } from "../../ui/problems";
import { ExpertArrival } from "../expert/ExpertArrival";
import type { Wishes } from "../expert/ExpertArrival";
import { useBack } from "../session/back";
import { CallView } from "../session/CallView";
import { give } from "../session/ui";
import { Arrive, ArriveError, ArriveLoading, Invited, WalkIn } from "./Arrive";
import { Check } from "./Check";
import { Consents } from "./Consents";
import { Done } from "./Done";
import { Wait } from "./Wait";

type By = { secret: string } | { code: string };
type CallStep = "check" | "consents" | "call";

type Step =
  | { kind: "loading" }
  | { kind: "error"; text: string; retry: () => void }
  | { kind: "arrive" }
  | { kind: "walk-in" }
  | { kind: "invited"; by: By; preview: InvitationPreview }
  | { kind: "in"; call: Call; step: CallStep };

interface Flow {
  readonly site: Signal<Site | null>;
  readonly step: Signal<Step>;
  readonly busy: Signal<boolean>;
  readonly error: Signal<string | null>;
}

/** Where this tab was in the preparations, so that a reload does not ask everything again. */
const KEPT = "tp.step";

function keepStep(step: CallStep | null): void {
  try {
    if (step) sessionStorage.setItem(KEPT, step);
    else sessionStorage.removeItem(KEPT);
  } catch {
    // no storage: after a reload the preparations start again
  }
}

function keptStep(): CallStep {
  try {
    const kept = sessionStorage.getItem(KEPT);
    return kept === "check" || kept === "consents" ? kept : "call";
  } catch {
    return "call";
  }
}

/** A link that was cut short, or is none of ours: it leads to `/j` without a secret in it. */
export function isBadLink(location: { pathname: string; hash: string }): boolean {
  return /^\/j(\/|$)/.test(location.pathname) && secretFrom(location) === null;
}

/** `/j/<secret>` or `/j#<secret>`. */
export function secretFrom(location: { pathname: string; hash: string }): string | null {
  const inPath = /^\/j\/([A-Za-z0-9_-]{8,100})\/?$/.exec(location.pathname);
  const inHash = /^#([A-Za-z0-9_-]{8,100})$/.exec(location.hash);
  return inPath?.[1] ?? (location.pathname.replace(/\/$/, "") === "/j" ? (inHash?.[1] ?? null) : null);
}

function enter(flow: Flow, call: Call, step: CallStep): void {
  keepStep(step);
  flow.step.value = { kind: "in", call, step };
}

async function guarded(flow: Flow, action: () => Promise<void>): Promise<void> {
  flow.busy.value = true;
  flow.error.value = null;
  try {
    await action();
  } catch (error) {
    flow.error.value = problemText(asProblem(error));
  } finally {
    flow.busy.value = false;
  }
}

async function begin(api: Api, flow: Flow, secret: string | null): Promise<void> {
  flow.step.value = { kind: "loading" };
  try {
    flow.site.value = await api.site();
    const resumed = api.resumeCall();
    if (resumed) {
      enter(flow, resumed, keptStep());
    } else if (secret) {
      const preview = await api.inspect({ secret });
      suggestLanguage(preview.language);
      flow.step.value = { kind: "invited", by: { secret }, preview };
    } else {
      flow.step.value = { kind: "arrive" };
    }
  } catch (error) {
    flow.step.value = { kind: "error", text: problemText(asProblem(error)), retry: () => void begin(api, flow, secret) };
  }
}

function InCall(props: { flow: Flow; call: Call; step: CallStep; onAgain: () => void }) {
  const { call, step, flow } = props;
  const site = flow.site.value;
  const phase = call.phase.value;
  const role = call.me.value?.role ?? "customer";
  const go = (next: CallStep) => () => enter(flow, call, next);
  const preparing = step !== "call";
  const inQueue = !preparing && role === "customer" && (phase === "waiting" || (phase === "reconnecting" && call.queue.value !== null));
  const leaving = useSignal(false);
  useBack(call, preparing || inQueue, () => {
    leaving.value = true;
  });
  useEffect(() => {
    if (phase === "ended") keepStep(null);
  }, [phase]);
  if (phase === "ended") {
    return <Done site={site} session={call.session.value} because={call.endedBecause.value} expert={role === "expert"} onAgain={props.onAgain} />;
  }
  if (!preparing && !inQueue) return <CallView call={call} variant={role} />;
  return (
    <>
      {step === "check" ? (
        <Check site={site} call={call} onDone={go("consents")} onSkip={go("consents")} onTextOnly={go("call")} />
      ) : step === "consents" ? (
        <Consents site={site} call={call} onDone={go("call")} />
      ) : (
        <Wait site={site} call={call} onCheck={go("check")} />
      )}
      {leaving.value && <LeaveQuestion call={call} onStay={() => (leaving.value = false)} />}
    </>
  );
}

/** Back was pressed before the conversation: the place is lost by leaving. */
function LeaveQuestion({ call, onStay }: { call: Call; onStay: () => void }) {
  const queued = call.phase.value === "waiting" || call.queue.value !== null;
  return (
    <Confirm
      title={t(queued ? "wait.leave.title" : "leave.title.customer")}
      text={t(queued ? "wait.leave.text" : "leave.text.customer")}
      yes={t("leave.yes")}
      no={t(queued ? "wait.leave.no" : "end.no")}
      onNo={onStay}
      onYes={() => {
        onStay();
        call.leave();
      }}
    />
  );
}

export function CustomerApp(props: { api: Api; secret: string | null; badLink?: boolean }) {
  const { api } = props;
  const flow = useMemo<Flow>(
    () => ({ site: signal(null), step: signal<Step>({ kind: "loading" }), busy: signal(false), error: signal(null) }),
    [api],
  );
  useEffect(() => void begin(api, flow, props.secret), [api, flow, props.secret]);
  useEffect(() => {
    document.title = t("title.customer");
  }, [language.value]);
  return (
    <>
      <View api={api} flow={flow} badLink={props.badLink ?? false} />
      <Announcer />
    </>
  );
}

function View({ api, flow, badLink }: { api: Api; flow: Flow; badLink: boolean }) {
  const site = flow.site.value;
  const step = flow.step.value;
  const arrive = () => {
    history.replaceState(null, "", "/");
    flow.error.value = null;
    if (site) flow.step.value = { kind: "arrive" };
    else void begin(api, flow, null);
  };
  if (step.kind === "error") return <ArriveError site={site} text={step.text} onRetry={step.retry} onOther={arrive} />;
  if (step.kind === "loading" || !site) return <ArriveLoading />;
  const shared = { site, error: flow.error.value, busy: flow.busy.value };
  if (step.kind === "arrive") {
    return (
      <Arrive
        {...shared}
        badLink={badLink && location.pathname !== "/"}
        onCode={(code) =>
          void guarded(flow, async () => {
            const preview = await api.inspect({ code });
            suggestLanguage(preview.language);
            flow.step.value = { kind: "invited", by: { code }, preview };
          })
        }
        onWalkIn={() => {
          flow.error.value = null;
          flow.step.value = { kind: "walk-in" };
        }}
      />
    );
  }
  if (step.kind === "walk-in") {
    return (
      <WalkIn
        {...shared}
        onBack={arrive}
        onJoin={(name, reason) => void guarded(flow, async () => enter(flow, await api.joinWaiting(name, reason, language.value), "check"))}
      />
    );
  }
  if (step.kind === "invited") {
    const { by, preview } = step;
    if (preview.role === "customer") {
      return <Invited {...shared} preview={preview} onStart={(name) => void guarded(flow, async () => enter(flow, await api.redeem(by, name), "check"))} />;
    }
    const join = async (name: string, wishes: Wishes) => {
      const call = await api.redeem(by, name);
      enter(flow, call, "call");
      if (wishes.microphone) give(call, "microphone");
      if (wishes.camera) give(call, "camera");
    };
    return <ExpertArrival {...shared} preview={preview} onJoin={(name, wishes) => void guarded(flow, () => join(name, wishes))} />;
  }
  return <InCall flow={flow} call={step.call} step={step.step} onAgain={arrive} />;
}
