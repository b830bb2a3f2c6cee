/** The waiting list and the open sessions: the 300-pixel column. */
import { Clock3, FolderOpen, Hourglass, WifiOff } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { t } from "../../i18n";
import type { SessionView, WaitingEntry } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { elapsed, useNow } from "../../ui/clock";
import { TextField } from "../../ui/controls";
import { shortReference } from "../customer/Done";

/** After this long a waiting customer is marked. */
export const LONG_WAIT_S = 300;

export function WaitingCard(props: { entry: WaitingEntry; now: number; busy: boolean; disabled: boolean; onTake: () => void }) {
  const { entry } = props;
  const long = props.now - Date.parse(entry.waiting_since) > LONG_WAIT_S * 1000;
  const name = entry.customer_name || t("waiting.nameless");
  return (
    <li class="task">
      <div class="row">
        <strong class="grow one-line" dir="auto">
          {name}
        </strong>
        <span class={`chip${long ? " warn" : ""}`} title={t("waiting.since")}>
          <Clock3 size={16} strokeWidth={1.75} aria-hidden />
          <span class="hidden-text">{t("waiting.since")}</span>
          {elapsed(entry.waiting_since, props.now)}
        </span>
      </div>
      <p class="task-reason" dir="auto">
        {entry.reason || t("waiting.no_reason")}
      </p>
      <div class="row">
        <div class="row wrap grow">
          <span class="chip">{t(`language.${entry.language}`)}</span>
          {!entry.connected && (
            <span class="chip warn">
              <WifiOff size={16} strokeWidth={1.75} aria-hidden />
              {t("waiting.away")}
            </span>
          )}
        </div>
        <Button look="primary" label={t("waiting.take.label", { name })} busy={props.busy} disabled={props.disabled} onClick={props.onTake}>
          {t("waiting.take")}
        </Button>
      </div>
    </li>
  );
}

export interface WaitingListProps {
  entries: readonly WaitingEntry[];
  taking: string | null;
  inCall: boolean;
  onTake: (session: string) => void;
}

export function WaitingList(props: WaitingListProps) {
  const now = useNow();
  if (props.entries.length === 0) {
    return (
      <div class="empty">
        <Hourglass size={28} strokeWidth={1.5} aria-hidden />
        <p>{t("waiting.empty")}</p>
        <p class="small">{t("waiting.empty.under")}</p>
      </div>
    );
  }
  return (
    <ul class="tasks" aria-live="off">
      {props.entries.map((entry) => (
        <WaitingCard
          key={entry.session}
          entry={entry}
          now={now}
          busy={props.taking === entry.session}
          disabled={props.inCall || (props.taking !== null && props.taking !== entry.session)}
          onTake={() => props.onTake(entry.session)}
        />
      ))}
    </ul>
  );
}

/** A list that is taken in at a glance needs no search. */
const SEARCH_FROM = 6;

export function matches(session: SessionView, sought: string): boolean {
  const text = [session.customer_name, session.reason, session.customer_reference, shortReference(session.id)].join("\n").toLocaleLowerCase();
  return sought
    .toLocaleLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

export function SessionList(props: { sessions: readonly SessionView[]; current: string | null; selected: string | null; onSelect: (session: SessionView) => void }) {
  const now = useNow();
  const sought = useSignal("");
  if (props.sessions.length === 0) {
    return (
      <div class="empty">
        <FolderOpen size={28} strokeWidth={1.5} aria-hidden />
        <p>{t("sessions.empty")}</p>
        <p class="small">{t("create.under")}</p>
      </div>
    );
  }
  const shown = props.sessions.filter((session) => matches(session, sought.value));
  return (
    <>
      {props.sessions.length >= SEARCH_FROM && <TextField label={t("sessions.search")} value={sought.value} maxLength={80} onInput={(text) => (sought.value = text)} />}
      {shown.length === 0 && (
        <p class="empty" role="status">
          {t("sessions.none")}
        </p>
      )}
      <ul class="tasks">
      {shown.map((session) => (
        <li key={session.id}>
          <button
            type="button"
            class={`task as-button${session.id === props.current ? " current" : ""}`}
            aria-pressed={session.id === props.selected}
            onClick={() => props.onSelect(session)}
          >
            <span class="row">
              <strong class="grow one-line" dir="auto">
                {session.customer_name || shortReference(session.id)}
              </strong>
              <span class="chip">{elapsed(session.created_at, now)}</span>
            </span>
            <span class="task-reason" dir="auto">
              {session.reason || t("waiting.no_reason")}
            </span>
            <span class="row wrap">
              <span class="chip">{t(`status.${session.status}`)}</span>
              <span class="chip">{t(`language.${session.language}`)}</span>
              {session.id === props.current && <span class="chip live">{t("sessions.here")}</span>}
            </span>
          </button>
        </li>
      ))}
      </ul>
    </>
  );
}
