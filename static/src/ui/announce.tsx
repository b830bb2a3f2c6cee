/** What a screen reader is told when something happens that is not under the focus. */
import { signal } from "@preact/signals";

const spoken = signal({ text: "", turn: 0 });

export function announce(text: string): void {
  spoken.value = { text, turn: spoken.value.turn + 1 };
}

/** One per page. The trailing space makes saying the same words twice a change. */
export function Announcer() {
  const { text, turn } = spoken.value;
  return (
    <div class="hidden-text" role="status" aria-live="polite">
      {text}
      {turn % 2 ? "\u00a0" : ""}
    </div>
  );
}
