/** A customer's own check, from the question whether they agree to how it went. A person can be had instead at every step. */
import { UserRound } from "lucide-preact";
import { useEffect, useMemo } from "preact/hooks";
import { useSignal } from "@preact/signals";
import type { Call } from "../../core/model";
import type { Verification } from "../../core/verification";
import { t } from "../../i18n";
import type { CaseBrief, Site } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { ConsentCard, WORDING } from "../../ui/ConsentCard";
import { Notice } from "../../ui/controls";
import { Dialog } from "../../ui/Dialog";
import { Heading, Shell, Steps } from "../../ui/Shell";
import { Verify } from "../session/Verify";
import { CallUiContext, useCallUi } from "../session/ui";
import { SelfCamera, SelfReady } from "./SelfCamera";
import { SelfResult, selfProblem } from "./SelfResult";
import { SelfRoom } from "./SelfRoom";
import { callReason, canTryAgain, factsOf, isOver, ownView, selfStage } from "./selfStage";
import type { SelfFacts, SelfStage } from "./selfStage";

const NOW: Readonly<Partial<Record<SelfStage, 1 | 2 | 3>>> = { face: 1, document: 1, camera: 2, ready: 3 };

function Declined({ call, without, onPerson, onAnew }: { call: Call; without: boolean; onPerson: () => void; onAnew: () => void }) {
  return (
    <>
      <Heading under={t(without ? "self.declined.without_face" : "self.declined.branch")}>{t("self.declined.title")}</Heading>
      <div class="stack tight">
        <Button look="primary" wide icon={UserRound} busy={call.verification.calling.value} onClick={onPerson}>
          {t("self.person.yes")}
        </Button>
        <Button wide onClick={onAnew}>
          {t("self.declined.again")}
        </Button>
      </div>
    </>
  );
}

function Agree({ call, brief, scope, onAnswered }: { call: Call; brief: CaseBrief | null; scope: "face" | "document"; onAnswered: (given: boolean) => void }) {
  const card = `self_${scope}` as const;
  return (
    <>
      <Heading>{t(`consent.${card}.title`)}</Heading>
      <div class="card">
        <ConsentCard
          scope={card}
          bare
          cases={brief && [brief]}
          onAnswer={(given) => {
            call.decide(scope, given ? "given" : "refused", WORDING[card]);
            onAnswered(given);
          }}
        />
      </div>
    </>
  );
}

function Loading({ facts }: { facts: SelfFacts }) {
  const text = t(facts.brief?.state === "checking" ? "self.moment" : "self.preparing");
  return (
    <div class="stack" aria-busy="true" role="status">
      <p>{text}</p>
      <div class="skeleton" />
      <div class="skeleton tall" />
    </div>
  );
}

/** The question before somebody changes to a person. */
function AskPerson({ call, stage, onClose }: { call: Call; stage: SelfStage; onClose: () => void }) {
  return (
    <Dialog title={t("self.person.title")} onClose={onClose} alert>
      <p>{t(stage === "check" ? "self.person.text.playing" : "self.person.text")}</p>
      <div class="pair">
        <button type="button" class="button secondary" data-first onClick={onClose}>
          {t("self.person.no")}
        </button>
        <button
          type="button"
          class="button secondary"
          onClick={() => {
            onClose();
            call.verification.callPerson(callReason(stage, call.verification));
          }}
        >
          {t("self.person.yes")}
        </button>
      </div>
    </Dialog>
  );
}

/** No person came of it. */
function Refused({ code }: { code: string }) {
  if (code !== "no_staff") return <Notice kind="bad">{selfProblem(code)}</Notice>;
  return (
    <Notice kind="warn">
      <strong>{t("self.person.nobody")}</strong>
      <p>{t("self.person.nobody.text")}</p>
    </Notice>
  );
}

/** Whether they have been away from the page while the newest check ran: the telephone locked, another app. Then there was nothing to see. */
function useAway(checking: boolean): boolean {
  const away = useSignal(false);
  useEffect(() => {
    if (!checking) return undefined;
    away.value = false;
    const look = () => {
      if (document.visibilityState === "hidden") away.value = true;
    };
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, [checking]);
  return away.value;
}

/** The last advice before anything was asked. */
function keptBy({ asked, advice }: Verification): string | null {
  return asked.value?.cue === "settle" ? (advice.value[0] ?? null) : null;
}

export interface SelfCheckProps {
  site: Site | null;
  call: Call;
  /** Whether who has said no is asked once more. */
  anew: boolean;
  onAnew: (anew: boolean) => void;
  /** For stories: the question is open. */
  asking?: boolean;
}

export function SelfCheck({ site, call, anew, onAnew, asking = false }: SelfCheckProps) {
  const { verification, devices } = call;
  const ui = useCallUi(call, "customer", false, "none", { kind: "none" }, "speaker");
  const facts = factsOf(call, anew);
  const stage = selfStage(facts);
  const person = useSignal(asking);
  const away = useAway(stage === "check");
  const open = () => (person.value = true);
  const steps = useMemo(() => () => [t("self.steps.agree"), t("self.steps.camera"), t("self.steps.check")], []);
  const back = devices.facing.value === "environment";
  useEffect(() => {
    if (stage === "ready" && back) void devices.turnCamera(); // a document was shown to the one on the back
  }, [stage]);
  useEffect(() => {
    if (stage !== "result" || !isOver(facts.brief)) return;
    if (call.phase.peek() === "live") void call.setCamera(false); // nobody looks any more
  }, [stage, facts.brief?.state]);
  const answered = (given: boolean) => {
    if (!given) onAnew(false);
  };
  const now = NOW[stage];
  const question = person.value && <AskPerson call={call} stage={stage} onClose={() => (person.value = false)} />;
  if (stage === "check") {
    return (
      <CallUiContext.Provider value={ui}>
        <Verify onPerson={open}>{question}</Verify>
      </CallUiContext.Provider>
    );
  }
  const offered = stage === "declined" || stage === "ended" || (stage === "result" && !canTryAgain(facts)); // as the first thing, if at all
  const calls = verification.callRefused.value;
  const waits = verification.waiting.value;
  return (
    <Shell site={site} wide={stage === "ready"}>
      {call.phase.value === "reconnecting" && <Notice kind="offline">{t("self.offline")}</Notice>}
      {now !== undefined && <Steps now={now} names={steps()} />}
      {calls !== null && <Refused code={calls} />}
      <div class="stack self-stage" key={stage}>
        {stage === "loading" && <Loading facts={facts} />}
        {(stage === "face" || stage === "document") && <Agree call={call} brief={facts.brief} scope={stage} onAnswered={answered} />}
        {stage === "declined" && <Declined call={call} without={facts.brief?.without_face ?? false} onPerson={() => verification.callPerson("declined")} onAnew={() => onAnew(true)} />}
        {stage === "camera" && <SelfCamera call={call} onAnswered={answered} />}
        {stage === "ready" && facts.brief && <SelfReady call={call} brief={facts.brief} />}
        {stage === "result" && waits && <SelfRoom onStop={() => verification.putAway()} />}
        {((stage === "result" && !waits) || stage === "ended") && (
          <SelfResult brief={facts.brief} view={ownView(facts)} kept={keptBy(verification)} away={away} over={stage === "ended"} onAgain={() => verification.putAway()} onPerson={() => verification.callPerson("cannot")} />
        )}
      </div>
      {!offered && (
        <Button look="plain" icon={UserRound} busy={verification.calling.value} onClick={open}>
          {t("self.person")}
        </Button>
      )}
      {question}
    </Shell>
  );
}
