/** The queue of reviews: the one that is due first on top; nothing moves while somebody points at it. */
import { Clock3, ClipboardCheck } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { lines } from "../../../core/reviews";
import type { Line, Reviews } from "../../../core/reviews";
import { language, t } from "../../../i18n";
import { reasonWords } from "../../../i18n/reasons";
import type { ReviewEntry } from "../../../protocol.gen";
import { span, useNow } from "../../../ui/clock";
import { Notice } from "../../../ui/controls";

/** Less than this, and it is marked. */
export const SOON_MS = 10 * 60_000;

/** How long it still waits. */
export function Countdown({ until, now }: { until: string; now: number }) {
  const left = Date.parse(until) - now;
  return (
    <span class={`chip${left < SOON_MS ? " warn" : ""}`} title={t("reviews.due")}>
      <Clock3 size={16} strokeWidth={1.75} aria-hidden />
      <span class="hidden-text">{t("reviews.due")}</span>
      {left > 0 ? span(left) : t("reviews.over")}
    </span>
  );
}

/** Those that this reviewer may decide. */
export function mine(queue: readonly ReviewEntry[] | null): ReviewEntry[] {
  return (queue ?? []).filter((entry) => entry.yours);
}

/** The next one to decide after this one; the first where there is none behind it. */
export function nextOf(queue: readonly ReviewEntry[] | null, id: string): string | null {
  const all = queue ?? [];
  const at = all.findIndex((entry) => entry.id === id);
  const order = [...all.slice(at + 1), ...all.slice(0, Math.max(0, at))];
  return order.find((entry) => entry.yours && entry.id !== id)?.id ?? null;
}

function Entry(props: { line: Line; now: number; selected: boolean; disabled: boolean; onSelect: () => void }) {
  const { entry, gone } = props.line;
  const why = entry.reasons[0];
  return (
    <li>
      <button type="button" class={`task as-button${gone ? " is-gone" : ""}`} aria-pressed={props.selected} disabled={props.disabled || gone} onClick={props.onSelect}>
        <span class="row">
          <strong class="grow one-line" dir="auto">
            {entry.title[language.value]}
          </strong>
          {gone ? <span class="chip">{t("reviews.decided")}</span> : <Countdown until={entry.review_until} now={props.now} />}
        </span>
        <span class="small soft one-line" dir="auto">
          {entry.customer}
        </span>
        {why !== undefined && <span class="task-reason">{reasonWords(why)}</span>}
        {(entry.second || !entry.yours) && (
          <span class="row wrap">
            {entry.second && <span class="chip">{t("reviews.second")}</span>}
            {!entry.yours && <span class="chip">{t("reviews.not_yours")}</span>}
          </span>
        )}
      </button>
    </li>
  );
}

export interface ReviewListProps {
  reviews: Reviews;
  selected: string | null;
  inCall: boolean;
  onSelect: (id: string) => void;
}

export function ReviewList({ reviews, selected, inCall, onSelect }: ReviewListProps) {
  const now = useNow();
  const held = useSignal(false);
  const shown = useSignal<Line[]>([]);
  const queue = reviews.queue.value;
  useEffect(() => {
    shown.value = lines(shown.peek(), queue ?? [], held.value);
  }, [queue, held.value]);
  if (queue === null) {
    return reviews.problem.value === null ? (
      <div class="stack tight" role="status" aria-label={t("loading")}>
        <div class="skeleton tall" />
        <div class="skeleton tall" />
      </div>
    ) : (
      <Notice kind="offline">{t("reviews.old")}</Notice>
    );
  }
  return (
    <div class="stack tight" onPointerEnter={() => (held.value = true)} onPointerLeave={() => (held.value = false)}>
      {reviews.problem.value !== null && <Notice kind="offline">{t("reviews.old")}</Notice>}
      {inCall && queue.length > 0 && <p class="small soft">{t("reviews.in_call")}</p>}
      {shown.value.length === 0 ? (
        <div class="empty">
          <ClipboardCheck size={28} strokeWidth={1.5} aria-hidden />
          <p>{t("reviews.empty")}</p>
          <p class="small">{t("reviews.empty.under")}</p>
        </div>
      ) : (
        <ul class="tasks" aria-live="off">
          {shown.value.map((line) => (
            <Entry key={line.entry.id} line={line} now={now} selected={line.entry.id === selected} disabled={inCall} onSelect={() => onSelect(line.entry.id)} />
          ))}
        </ul>
      )}
    </div>
  );
}
