/** The queue of reviews: the one that is due first on top; nothing moves while somebody points at it. */
import { ChevronDown, Clock3, ClipboardCheck } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import { EVERYTHING, SOON_MS, allThatWait, isEverything, lines, waitBehind } from "../../../core/reviews";
import type { Line, ReviewFilter, Reviews } from "../../../core/reviews";
import { language, t } from "../../../i18n";
import { reasonWords } from "../../../i18n/reasons";
import type { ReviewEntry } from "../../../protocol.gen";
import { Button } from "../../../ui/Button";
import { span, useNow } from "../../../ui/clock";
import { Notice } from "../../../ui/controls";

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

/** Those of the list as it is shown. */
export function shownReviews(reviews: Reviews): readonly ReviewEntry[] {
  return reviews.found.value ?? reviews.queue.value ?? [];
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

/** What of the queue is shown: whose, which type, how urgent. */
function Filters({ reviews }: { reviews: Reviews }) {
  const id = useId();
  const filter = reviews.filter.value;
  const types = reviews.types.value;
  const choose = (change: Partial<ReviewFilter>) => void reviews.narrow({ ...filter, ...change });
  const chip = (words: string, pressed: boolean, change: Partial<ReviewFilter>) => (
    <button type="button" class="tab" aria-pressed={pressed} onClick={() => choose(change)}>
      {words}
    </button>
  );
  const known = filter.type === null || types.some(({ type }) => type === filter.type);
  return (
    <div class="review-filters" role="group" aria-label={t("reviews.filter")}>
      <div class="row wrap">
        {chip(t("reviews.filter.yours"), filter.yours === true, { yours: filter.yours === true ? null : true })}
        {chip(t("reviews.filter.others"), filter.yours === false, { yours: filter.yours === false ? null : false })}
        {chip(t("reviews.filter.soon"), filter.soon, { soon: !filter.soon })}
      </div>
      {(types.length > 1 || filter.type !== null) && (
        <div class="select">
          <label class="hidden-text" for={id}>
            {t("reviews.filter.type")}
          </label>
          <select id={id} class="input" value={filter.type ?? ""} onChange={(event) => choose({ type: event.currentTarget.value === "" ? null : event.currentTarget.value })}>
            <option value="">{t("reviews.filter.all_types", { n: allThatWait(types) })}</option>
            {types.map(({ type, title, count }) => (
              <option key={type} value={type}>
                {t("reviews.filter.of_type", { title: title[language.value], n: count })}
              </option>
            ))}
            {!known && filter.type !== null && <option value={filter.type}>{t("reviews.filter.of_type", { title: filter.type, n: 0 })}</option>}
          </select>
          <ChevronDown size={20} strokeWidth={1.75} aria-hidden />
        </div>
      )}
    </div>
  );
}

/** Nothing waits, or nothing of what is looked for. */
function Empty({ reviews }: { reviews: Reviews }) {
  const filtered = !isEverything(reviews.filter.value);
  return (
    <div class="empty">
      <ClipboardCheck size={28} strokeWidth={1.5} aria-hidden />
      <p>{t(filtered ? "reviews.empty.found" : "reviews.empty")}</p>
      {filtered ? <Button onClick={() => void reviews.narrow(EVERYTHING)}>{t("reviews.filter.none")}</Button> : <p class="small">{t("reviews.empty.under")}</p>}
    </div>
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
  const loading = useSignal(false);
  const of = useRef(reviews.filter.peek());
  const found = reviews.found.value;
  const filter = reviews.filter.value;
  const behind = waitBehind(reviews);
  useEffect(() => {
    const same = of.current === filter; // what another filter has left is no line that somebody points at
    of.current = filter;
    shown.value = lines(same ? shown.peek() : [], found ?? [], same && held.value);
  }, [found, filter, held.value]);
  const more = async () => {
    loading.value = true;
    await reviews.loadMore();
    loading.value = false;
  };
  if (reviews.queue.value === null) {
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
      {inCall && (found ?? []).length > 0 && <p class="small soft">{t("reviews.in_call")}</p>}
      {(reviews.types.value.length > 0 || !isEverything(filter)) && <Filters reviews={reviews} />}
      {found === null ? (
        <div class="skeleton tall" role="status" aria-label={t("loading")} />
      ) : shown.value.length === 0 && !reviews.foundMore.value ? (
        <Empty reviews={reviews} />
      ) : (
        <ul class="tasks" aria-live="off">
          {shown.value.map((line) => (
            <Entry key={line.entry.id} line={line} now={now} selected={line.entry.id === selected} disabled={inCall} onSelect={() => onSelect(line.entry.id)} />
          ))}
        </ul>
      )}
      {found !== null && reviews.foundMore.value && (
        <Button busy={loading.value} onClick={() => void more()}>
          {behind === null ? t("reviews.more") : t("reviews.more.behind", { n: behind })}
        </Button>
      )}
    </div>
  );
}
