/** The customer's and the expert's way: arrive → (check → consents → wait) → session → done. */
import { signal, useSignal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { Api, ApiProblem, Call } from "../../core/model";
import { language, t } from "../../i18n";
import type { InvitationPreview, Site } from "../../protocol.gen";
import { Announcer } from "../../ui/announce";
import { Confirm } from "../../ui/Dialog";
import { suggestLanguage } from "../../ui/prefs";
import { asProblem, problemText, problemTitle } from "../../ui/problems";
import { ExpertArrival } from "../expert/ExpertArrival";
import type { Wishes } from "../expert/ExpertArrival";
import { useBack } from "../session/back";
import { CallPlace, loadCall } from "../session/CallPlace";
import { LeaveLobby, WaitingRoom, useLobby } from "../session/WaitingRoom";
import { give } from "../session/ui";
import { Arrive, ArriveError, ArriveLoading, Invited, WalkIn } from "./Arrive";
import { Check } from "./Check";
import { Consents } from "./Consents";
import { Done } from "./Done";
import { SelfArrive, until } from "./SelfArrive";
import { SelfCheck } from "./SelfCheck";
import { SelfDone, SelfOver } from "./SelfDone";
import { answered, forgetOther, keepAnswered, keepLink, keepReturn, keepStep, keptReturn, keptStep, recallAnswered } from "./kept";
import type { CallStep } from "./kept";
import { Wait } from "./Wait";
import { WORDING } from "../../ui/ConsentCard";
import { factsOf, isOver, selfStage } from "./selfStage";

type By = { secret: string } | { code: string };

type Step =
  | { kind: "loading" }
  | { kind: "error"; problem: ApiProblem; retry: () => void }
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
    forgetOther(secret);
    const resumed = api.resumeCall();
    if (resumed) {
      recallAnswered();
      enter(flow, resumed, keptStep());
    } else if (secret) {
      const preview = await api.inspect({ secret });
      suggestLanguage(preview.language);
      flow.step.value = { kind: "invited", by: { secret }, preview };
    } else {
      flow.step.value = { kind: "arrive" };
    }
  } catch (error) {
    flow.step.value = { kind: "error", problem: asProblem(error), retry: () => void begin(api, flow, secret) };
  }
}

/** Whether the session is there for a check that the customer makes by themselves. Before the server says so, by what this tab remembers. */
function isOwnCheck(call: Call, step: CallStep): boolean {
  const session = call.session.value;
  const role = call.me.value?.role ?? "customer";
  return role === "customer" && (session === null ? step === "verify" : session.kind === "verification");
}

/** Who makes a check alone is on its pages; with a person, or in line for one, on those of every conversation. What was agreed to for nobody's eyes
 *  but a computer's is taken back before somebody looks, and asked for anew, with their voice. */
function useOwnCheck(flow: Flow, call: Call, step: CallStep, anew: boolean) {
  const preparing = step === "check" || step === "consents";
  const own = isOwnCheck(call, step);
  const facts = factsOf(call, anew);
  const stage = own && !preparing ? selfStage(facts) : null;
  const alone = stage !== null && stage !== "wait" && stage !== "person";
  const known = call.session.value !== null && stage !== "ended";
  const wanted = alone ? "verify" : stage === "person" && !answered.value ? "consents" : "call";
  useEffect(() => {
    if (!own || preparing || !known || wanted === step) return;
    if (stage === "wait" && step === "verify") keepAnswered(false); // they have just asked for somebody
    if (!alone && call.verification.view.peek()?.state === "over") call.verification.putAway(); // read already
    if (!alone && !answered.peek() && call.consents.peek().get("camera") === "given") {
      call.decide("camera", "withdrawn", WORDING.self_camera);
      void call.setCamera(false);
    }
    enter(flow, call, wanted);
  }, [own, preparing, known, stage, wanted, step]);
  useEffect(() => {
    if (own && facts.brief !== null) keepReturn(facts.brief.return_url);
  }, [own, facts.brief?.return_url]);
  return { own, alone, over: isOver(facts.brief), brief: facts.brief };
}

function InCall(props: { flow: Flow; call: Call; step: CallStep; onAgain: () => void; onRetry: () => void }) {
  const { call, step, flow } = props;
  const site = flow.site.value;
  const phase = call.phase.value;
  const role = call.me.value?.role ?? "customer";
  const go = (next: CallStep) => () => enter(flow, call, next);
  const done = () => {
    keepAnswered(true);
    enter(flow, call, "call");
  };
  const anew = useSignal(false);
  const { own, alone, over, brief } = useOwnCheck(flow, call, step, anew.value);
  const preparing = step === "check" || step === "consents";
  const inQueue = !preparing && role === "customer" && (phase === "waiting" || (phase === "reconnecting" && call.queue.value !== null));
  const leaving = useSignal(false);
  const outside = useLobby(call) && !preparing;
  useBack(call, preparing || inQueue || outside || (alone && !over), () => {
    leaving.value = true;
  });
  useEffect(() => {
    if (phase !== "ended") return;
    keepStep(null);
    keepAnswered(false);
  }, [phase]);
  if (phase === "ended") {
    if (own && step === "verify") return <SelfDone site={site} call={call} back={keptReturn()} onAgain={props.onRetry} />;
    return <Done site={site} back={own ? keptReturn() : ""} session={call.session.value} because={call.endedBecause.value} expert={role !== "customer"} onAgain={own ? props.onRetry : props.onAgain} />;
  }
  if (outside) {
    return (
      <>
        <WaitingRoom site={site} call={call} onLeave={() => (leaving.value = true)} />
        {leaving.value && <LeaveLobby call={call} onStay={() => (leaving.value = false)} />}
      </>
    );
  }
  if (alone) {
    return (
      <>
        <SelfCheck site={site} call={call} anew={anew.value} onAnew={(again) => (anew.value = again)} />
        {leaving.value && <LeaveQuestion call={call} own onStay={() => (leaving.value = false)} />}
      </>
    );
  }
  const waiting = !own
    ? {}
    : over || brief === null
      ? { late: brief?.state === "expired" }
      : { until: until(brief.expires_at), onAlone: () => call.verification.callPerson("help", false) };
  // Who was made an agent here leads, but has no desk: the page stays what it is, with other buttons.
  if (!preparing && !inQueue) return <CallPlace call={call} variant={role === "customer" ? "customer" : "expert"} />;
  return (
    <>
      {step === "check" ? (
        <Check site={site} call={call} onDone={go("consents")} onSkip={go("consents")} onTextOnly={go("call")} />
      ) : step === "consents" ? (
        <Consents site={site} call={call} off={own} onDone={done} />
      ) : (
        <Wait site={site} call={call} onCheck={go("check")} {...waiting} />
      )}
      {leaving.value && <LeaveQuestion call={call} onStay={() => (leaving.value = false)} />}
    </>
  );
}

/** Back was pressed before the conversation: the place is lost by leaving. */
function LeaveQuestion({ call, own = false, onStay }: { call: Call; own?: boolean; onStay: () => void }) {
  const queued = call.phase.value === "waiting" || call.queue.value !== null;
  return (
    <Confirm
      title={t(own ? "self.leave.title" : queued ? "wait.leave.title" : "leave.title.customer")}
      text={t(own ? "self.leave.text" : queued ? "wait.leave.text" : "leave.text.customer")}
      yes={t("leave.yes")}
      no={t(own ? "self.leave.no" : queued ? "wait.leave.no" : "end.no")}
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
  const arrived = flow.step.value.kind !== "loading";
  useEffect(() => {
    if (arrived) void loadCall(); // what there is to read comes first
  }, [arrived]);
  return (
    <>
      <View api={api} flow={flow} secret={props.secret} badLink={props.badLink ?? false} />
      <Announcer />
    </>
  );
}

function View({ api, flow, secret, badLink }: { api: Api; flow: Flow; secret: string | null; badLink: boolean }) {
  const site = flow.site.value;
  const step = flow.step.value;
  const arrive = () => {
    history.replaceState(null, "", "/");
    flow.error.value = null;
    if (site) flow.step.value = { kind: "arrive" };
    else void begin(api, flow, null);
  };
  if (step.kind === "error") return <ArriveError site={site} title={problemTitle(step.problem)} text={problemText(step.problem)} onRetry={step.retry} onOther={arrive} />;
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
    const redeem = async (name: string) => {
      const call = await api.redeem(by, name);
      keepLink("secret" in by ? by.secret : null);
      keepAnswered(false);
      return call;
    };
    if (preview.verification && preview.role === "customer") {
      if (isOver(preview.verification)) return <SelfOver site={site} brief={preview.verification} />;
      return <SelfArrive {...shared} brief={preview.verification} onStart={() => void guarded(flow, async () => enter(flow, await redeem(preview.name), "verify"))} />;
    }
    if (preview.role === "customer") {
      return <Invited {...shared} preview={preview} onStart={(name) => void guarded(flow, async () => enter(flow, await redeem(name), "check"))} />;
    }
    const join = async (name: string, wishes: Wishes) => {
      const call = await redeem(name);
      enter(flow, call, "call");
      if (wishes.microphone) give(call, "microphone");
      if (wishes.camera) give(call, "camera");
    };
    return <ExpertArrival {...shared} preview={preview} onJoin={(name, wishes) => void guarded(flow, () => join(name, wishes))} />;
  }
  return <InCall flow={flow} call={step.call} step={step.step} onAgain={arrive} onRetry={secret === null ? arrive : () => void begin(api, flow, secret)} />;
}
