/** The recording, as a person in the conversation meets it: the question, and what stands behind the light. */
import { Circle, CircleOff } from "lucide-preact";
import { asks } from "../../core/recording";
import { counted, t } from "../../i18n";
import { Button } from "../../ui/Button";
import { ConsentCard, WORDING } from "../../ui/ConsentCard";
import { Dialog } from "../../ui/Dialog";
import { personName } from "../../ui/words";
import type { Call } from "../../core/model";
import type { ParticipantView } from "../../protocol.gen";
import { close, useCall } from "./ui";

const YEAR_DAYS = 365;

/** "5 years", "90 days", or until somebody erases it. */
export function keptFor(days: number): string {
  if (days <= 0) return t("recording.kept.ever");
  return days % YEAR_DAYS === 0 ? counted("recording.kept.years", days / YEAR_DAYS) : counted("recording.kept.days", days);
}

export function isAsked(call: Call): boolean {
  return asks(call.recording.view.value, call.me.value?.id, call.recording.answered.value);
}

/** Everybody here, oneself first. */
export function peopleHere(call: Call): ParticipantView[] {
  const me = call.me.value;
  return [...(me ? [me] : []), ...call.others.value].filter((person) => person.state !== "left");
}

/** One's own answer, from here on. */
export function answerRecording(call: Call, decision: "given" | "refused" | "withdrawn"): void {
  call.decide("recording", decision, WORDING.recording);
}

/** The question of the agent who wants to record; nothing else goes on until it is answered, and either answer will do. */
export function RecordingQuestion({ onDone }: { onDone?: () => void }) {
  const { call } = useCall();
  return (
    <Dialog title={t("consent.recording.title")} {...(onDone ? { onClose: onDone } : {})}>
      <ConsentCard
        scope="recording"
        bare
        places={{ time: keptFor(call.recording.view.value.retention_days) }}
        onAnswer={(given) => {
          answerRecording(call, given ? "given" : "refused");
          onDone?.();
        }}
      />
    </Dialog>
  );
}

function Names({ call, people, empty }: { call: Call; people: readonly ParticipantView[]; empty: string }) {
  if (people.length === 0) return <span class="soft">{empty}</span>;
  return (
    <ul>
      {people.map((person) => (
        <li key={person.id}>
          <bdi>{personName(person)}</bdi>
          {person.id === call.me.value?.id && <span class="soft"> ({t("you")})</span>}
        </li>
      ))}
    </ul>
  );
}

/** Who, why, how long, and one's own part of it. */
export function RecordingDialog() {
  const ui = useCall();
  const { call } = ui;
  const view = call.recording.view.value;
  const mine = call.consents.value.get("recording");
  const included = call.me.value !== null && view.recorded.includes(call.me.value.id);
  const recorded = (person: ParticipantView): boolean => view.recorded.includes(person.id);
  return (
    <Dialog title={t("recording.title")} onClose={() => close(ui)}>
      <p>{t(`recording.${view.state}.text`)}</p>
      <dl class="facts">
        <dt>{t("recording.who")}</dt>
        <dd>
          <Names call={call} people={peopleHere(call).filter(recorded)} empty={t("recording.nobody")} />
        </dd>
        <dt>{t("recording.who.not")}</dt>
        <dd>
          <Names call={call} people={peopleHere(call).filter((person) => !recorded(person))} empty={t("recording.nobody")} />
        </dd>
        <dt>{t("consent.why")}</dt>
        <dd>{t("consent.recording.why")}</dd>
        <dt>{t("consent.how_long")}</dt>
        <dd>{t("consent.recording.how_long", { time: keptFor(view.retention_days) })}</dd>
      </dl>
      <section class="stack tight light-mine">
        <p class="row">
          {included ? <Circle class="light-mark is-on" size={18} strokeWidth={2} aria-hidden /> : <CircleOff size={18} strokeWidth={2} aria-hidden />}
          <strong>{t(included ? "recording.me.on" : mine === "given" ? "recording.me.allowed" : "recording.me.off")}</strong>
        </p>
        {mine === "given" ? (
          <>
            <Button
              look="danger-plain"
              wide
              onClick={() => {
                answerRecording(call, "withdrawn");
                close(ui);
              }}
            >
              {t("recording.me.stop")}
            </Button>
            <p class="soft small">{t("recording.me.stop.hint")}</p>
          </>
        ) : (
          view.state !== "failed" && (
            <Button
              wide
              onClick={() => {
                ui.open.value = { kind: "recording-consent" };
              }}
            >
              {t("recording.me.allow")}
            </Button>
          )
        )}
      </section>
      {view.available && call.grants.value.has("recording.control") && (
        <Button
          look="plain"
          onClick={() => {
            ui.panel.value = "recording";
            close(ui);
          }}
        >
          {t("recording.panel.open")}
        </Button>
      )}
    </Dialog>
  );
}
