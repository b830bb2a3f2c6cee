/** What an agent does about the recording: begin, pause, go on, stop; who has not answered; the points to tick off. */
import { Circle, CirclePause, CirclePlay, CircleStop, NotebookPen } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import { MAX_NOTE_CHARS, isIdle } from "../../core/recording";
import { clockTime, language, t } from "../../i18n";
import type { ChecklistItem, RecordingStatus } from "../../protocol.gen";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { TextField } from "../../ui/controls";
import { Confirm } from "../../ui/Dialog";
import { personName } from "../../ui/words";
import { peopleHere } from "./Recording";
import { Running } from "./RecordingLight";
import { useCall } from "./ui";

export function RecordingPanel() {
  const { call } = useCall();
  const view = call.recording.view.value;
  const waitsFor = isIdle(view.state) ? [] : peopleHere(call).filter(({ id }) => view.missing.includes(id));
  return (
    <div class="stack recording-panel">
      <section class="stack tight" aria-label={t("recording.title")}>
        <p class={`recording-state ${view.state}`} role="status">
          <Circle class={`light-mark is-${view.state}`} size={16} strokeWidth={2} aria-hidden />
          <strong class="grow">{t(`recording.${view.state}`)}</strong>
          {(view.state === "on" || view.state === "paused") && <Running />}
        </p>
        <p class="small soft">{view.state === "failed" && view.problem ? t(`recording.problem.${view.problem}`) : t(`recording.${view.state}.agent`)}</p>
        {waitsFor.length > 0 && (
          <p class="small">
            {t("recording.missing")} <bdi>{waitsFor.map(personName).join(t("list.separator"))}</bdi>
          </p>
        )}
        <Controls state={view.state} />
      </section>
      <Checklist items={view.checklist} on={view.state === "on"} since={view.started_at} />
      {view.state === "on" && <Note />}
    </div>
  );
}

function Controls({ state }: { state: RecordingStatus }) {
  const { recording } = useCall().call;
  const stopping = useSignal(false);
  const go = state === "paused" ? { icon: CirclePlay, text: t("recording.go_on") } : { icon: Circle, text: t("recording.start") };
  return (
    <div class="pair recording-controls">
      {state === "on" ? (
        <Button icon={CirclePause} onClick={() => recording.wish("paused")}>
          {t("recording.pause")}
        </Button>
      ) : (
        state !== "asking" && (
          <Button icon={go.icon} look="primary" onClick={() => recording.wish("on")}>
            {go.text}
          </Button>
        )
      )}
      {(state === "on" || state === "paused") && (
        <Button icon={CircleStop} look="danger-plain" onClick={() => (stopping.value = true)}>
          {t("recording.stop")}
        </Button>
      )}
      {state === "asking" && (
        <Button icon={CircleStop} onClick={() => recording.wish("off")}>
          {t("recording.ask.stop")}
        </Button>
      )}
      {stopping.value && (
        <Confirm
          title={t("recording.stop.title")}
          text={t("recording.stop.text")}
          yes={t("recording.stop.yes")}
          no={t("recording.stop.no")}
          onNo={() => (stopping.value = false)}
          onYes={() => {
            stopping.value = false;
            recording.wish("off");
          }}
        />
      )}
    </div>
  );
}

/** Points stay ticked for the session; a recording that began later holds nothing of them. */
function isEarlier(item: ChecklistItem, since: string | null): boolean {
  return item.done_at !== null && since !== null && Date.parse(item.done_at) < Date.parse(since);
}

function Checklist({ items, on, since }: { items: readonly ChecklistItem[]; on: boolean; since: string | null }) {
  const { recording } = useCall().call;
  const title = useId();
  if (items.length === 0) return null;
  const done = items.filter((item) => item.done_at !== null).length;
  return (
    <section class="stack tight" aria-labelledby={title}>
      <h3 id={title} class="row">
        <span class="grow">{t("checklist.title")}</span>
        <span class="soft small">{t("checklist.done", { done, all: items.length })}</span>
      </h3>
      {!on && <p class="small soft">{t("checklist.off")}</p>}
      {on && items.some((item) => isEarlier(item, since)) && <p class="small soft">{t("checklist.earlier.text")}</p>}
      <ul class="checklist">
        {items.map((item) => (
          <li key={item.item}>
            <label class={`checkpoint${item.done_at ? " is-done" : ""}`}>
              <input
                type="checkbox"
                checked={item.done_at !== null}
                disabled={!on}
                onClick={(event) => {
                  event.preventDefault(); // it is done when it is stored
                  recording.mark(item.item, item.done_at === null);
                }}
              />
              <span class="grow" dir="auto">
                {item[language.value]}
                {isEarlier(item, since) && <span class="small soft checkpoint-earlier">{t("checklist.earlier")}</span>}
              </span>
              {item.done_at && <time dateTime={item.done_at}>{clockTime(item.done_at)}</time>}
            </label>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** A free line at this moment of the recording. */
function Note() {
  const { recording } = useCall().call;
  const text = useSignal("");
  return (
    <form
      class="stack tight"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.value.trim() === "") return;
        recording.mark("", true, text.value);
        announce(t("note.made"));
        text.value = "";
      }}
    >
      <TextField label={t("note.title")} hint={t("note.hint")} value={text.value} maxLength={MAX_NOTE_CHARS} lines={2} onInput={(value) => (text.value = value)} />
      <Button submit icon={NotebookPen}>
        {t("note.make")}
      </Button>
    </form>
  );
}
