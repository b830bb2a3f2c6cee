/** For those who run verifications: which case, whose face, begin and stop, how it went. */
import { ScanFace, ShieldQuestionMark, UserRoundCheck } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useId, useRef } from "preact/hooks";
import { isCase } from "../../core/verification";
import { counted, t } from "../../i18n";
import type { ParticipantId, ParticipantView, VerificationChanged } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { Choice, TextField } from "../../ui/controls";
import { personName } from "../../ui/words";
import { IdentifyForm } from "./IdentifyForm";
import { Cases } from "./VerificationCases";
import { problemWords } from "./verifyWords";
import { isShown, useCall } from "./ui";

function state(view: VerificationChanged): string {
  if (view.state === "playing") return view.number > 0 ? t("staff.verify.playing", { n: view.number }) : t("staff.verify.going");
  return t(`staff.verify.${view.outcome ?? (view.number > 0 ? "broken" : "unbegun")}`);
}

/** The newest attempt in this session; `whose`, where it could be another's. */
function Now({ view, whose }: { view: VerificationChanged; whose: ParticipantView | undefined }) {
  return (
    <div class="stack tight" role="status">
      <p>
        <strong>{state(view)}</strong>
        {whose && (
          <>
            {" · "}
            <bdi>{personName(whose)}</bdi>
          </>
        )}
      </p>
      {view.state === "over" && view.outcome === null && <p class="small">{problemWords(view.problem, "staff.verify")}</p>}
      {view.state === "over" && view.outcome === "reject" && <p class="small soft">{view.left > 0 ? counted("staff.verify.left", view.left) : t("staff.verify.left.none")}</p>}
    </div>
  );
}

export function VerificationPanel() {
  const { call } = useCall();
  const { verification } = call;
  const title = useId();
  const view = verification.view.value;
  const text = useSignal(view?.case ?? "");
  const chosen = useSignal<ParticipantId | null>(null);
  const meant = useSignal<string | null>(null);
  const identifies = useSignal<string | null>(null); // the case whose customer is identified without a face check
  const wrong = useSignal(false);
  const opener = useRef<HTMLDivElement>(null);
  const people = call.others.value.filter((one) => one.role === "customer" && one.state !== "left");
  const several = people.length > 1; // then nobody is taken for the customer who was not chosen
  const person = people.find(({ id }) => id === chosen.value) ?? (several ? undefined : people[0]);
  const cases = verification.cases.value;
  const open = (cases ?? []).filter(({ state }) => state === "open");
  const one = open.find((each) => each.case === meant.value) ?? open[0];
  const runs = view?.state === "playing";
  const waits = verification.waiting.value;
  const missing = several && !person ? "who" : whyNot(person, verification.agreed.value.get(person?.id ?? "") === "given");
  const refused = verification.refused.value;
  const begin = () => {
    const id = one?.case ?? text.value.trim().toUpperCase();
    wrong.value = !isCase(id);
    if (!wrong.value && person) verification.begin(id, person.id);
  };
  const identified = open.find((each) => each.case === identifies.value);
  return (
    <section class="stack verification-panel" aria-labelledby={title}>
      <h2 id={title} class="sub">
        {t("staff.verify.title")}
      </h2>
      {cases !== null && <Cases cases={cases} chosen={one?.case ?? null} onChoose={(id) => (meant.value = id)} />}
      {waits ? (
        <div class="stack tight" role="status">
          <p>
            <strong>{t("staff.verify.no_room")}</strong>
          </p>
          <p class="small">{t("staff.verify.no_room.text")}</p>
        </div>
      ) : (
        view && <Now view={view} whose={several ? people.find(({ id }) => id === view.participant) : undefined} />
      )}
      {refused !== null && (
        <p class="small" role="alert">
          {problemWords(refused, "staff.verify")}
        </p>
      )}
      {waits ? (
        <Button onClick={() => verification.stopWaiting()}>{t("staff.verify.no_room.stop")}</Button>
      ) : runs ? (
        <Button look="danger-plain" onClick={() => verification.stop()}>
          {t("staff.verify.stop")}
        </Button>
      ) : identified ? (
        <IdentifyForm
          key={identified.case}
          one={identified}
          onDone={() => {
            identifies.value = null;
            requestAnimationFrame(() => opener.current?.querySelector("button")?.focus());
          }}
        />
      ) : cases === null || one !== undefined ? (
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault();
            if (missing === null) begin();
          }}
        >
          {cases === null && (
            <TextField
              label={t("staff.verify.case")}
              hint={t("staff.verify.case.hint")}
              error={wrong.value ? t("staff.verify.case.wrong") : null}
              maxLength={40}
              value={text.value}
              onInput={(value) => {
                text.value = value;
                wrong.value = false;
              }}
            />
          )}
          {several && (
            <Choice
              label={t("staff.verify.who")}
              value={person?.id ?? ""}
              options={[...(person ? [] : [{ id: "", label: t("staff.verify.who.none") }]), ...people.map((each) => ({ id: each.id, label: personName(each) }))]}
              onChange={(id) => (chosen.value = id)}
            />
          )}
          {missing !== null && <p class="small">{t(`staff.verify.why.${missing}`)}</p>}
          {missing === "consent" && (
            <Button icon={ShieldQuestionMark} busy={verification.beginning.value} onClick={begin}>
              {t("staff.verify.consent")}
            </Button>
          )}
          <Button submit look="primary" icon={ScanFace} disabled={missing !== null} busy={missing === null && verification.beginning.value}>
            {t("staff.verify.begin")}
          </Button>
        </form>
      ) : null}
      {!runs && !waits && !identified && one?.without_face && (
        <div ref={opener}>
          <Button look="plain" icon={UserRoundCheck} onClick={() => (identifies.value = one.case)}>
            {t("staff.identify.open")}
          </Button>
        </div>
      )}
    </section>
  );
}

/** What keeps it from beginning, as far as this page knows; the server looks for itself. */
function whyNot(person: ParticipantView | undefined, agreed: boolean): "nobody" | "camera" | "consent" | null {
  if (person === undefined) return "nobody";
  if (!isShown(person, "camera")) return "camera";
  return agreed ? null : "consent";
}
