/** The light of the recording: on everybody's page, above everything, for as long as somebody is recorded or asked. */
import { ChevronRight, Circle, CirclePause, CircleQuestionMark, TriangleAlert } from "lucide-preact";
import { useEffect, useRef } from "preact/hooks";
import type { Call } from "../../core/model";
import { t } from "../../i18n";
import type { RecordingStatus } from "../../protocol.gen";
import { announce } from "../../ui/announce";
import { span, useNow } from "../../ui/clock";
import { playTone } from "../../ui/tones";
import { useCall } from "./ui";

const ICONS = { asking: CircleQuestionMark, on: Circle, paused: CirclePause, failed: TriangleAlert } as const;

/** Says aloud what the light shows, when it changes; to who comes in while it is on, too. */
export function useRecordingEvents(call: Call): void {
  const before = useRef<RecordingStatus>("off");
  const { state } = call.recording.view.value;
  useEffect(() => {
    const was = before.current;
    before.current = state;
    if (state === was) return;
    announce(t(`recording.said.${state}`));
    playTone("ask");
  }, [state]);
}

/** Whether there is a light: then the page leaves room for it above its panels and questions. */
export function isLit(call: Call): boolean {
  return call.recording.view.value.state !== "off";
}

export function RecordingLight() {
  const ui = useCall();
  const { view } = ui.call.recording;
  const { state } = view.value;
  if (state === "off") return null;
  const Icon = ICONS[state];
  return (
    <button
      type="button"
      class={`light ${state}`}
      onClick={() => {
        ui.open.value = { kind: "recording" };
      }}
    >
      <Icon class="light-mark" size={18} strokeWidth={2} aria-hidden />
      <strong class="one-line">{t(`recording.${state}`)}</strong>
      {(state === "on" || state === "paused") && <Running />}
      <span class="grow" />
      <span class="light-more">{t("recording.more")}</span>
      <ChevronRight class="light-go" size={18} strokeWidth={2} aria-hidden />
    </button>
  );
}

/** Alone, so that the rest of the light is not drawn anew each second. */
export function Running() {
  const started = useCall().call.recording.startedMs.value;
  const now = useNow();
  return started === null ? null : <span class="light-time">{span(now - started)}</span>;
}
