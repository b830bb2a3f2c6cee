/** The waiting list and the open sessions: the 300-pixel column. */
import { Clock3, FolderOpen, Hourglass, UsersRound, WifiOff } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { t } from "../../i18n";
import type { Desk } from "../../core/model";
import type { OccupiedSession, SessionView, WaitingEntry } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { elapsed, useNow } from "../../ui/clock";
import { TextField } from "../../ui/controls";
import { roleName } from "../../ui/words";
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

/** Customers who came by a link or a code and sit alone in a session of this agent's, longest first; never the one being entered. */
export function arrived(desk: Desk): OccupiedSession[] {
  const call = desk.call.value;
  const here = call !== null && call.phase.value !== "ended" ? call.session.value?.id : undefined;
  return desk.inside.value.filter((entry) => entry.alone_since !== null && entry.session !== here);
}

export function ArrivedCard(props: { entry: OccupiedSession; now: number; busy: boolean; disabled: boolean; onEnter: () => void }) {
  const { entry } = props;
  const name = entry.customer_name || t("waiting.nameless");
  const since = entry.alone_since ?? entry.created_at;
  const cut = entry.people.every((person) => person.role !== "customer" || !person.connected);
  return (
    <li class="task arrived">
      <div class="row">
        <strong class="grow one-line" dir="auto">
          {name}
        </strong>
        <span class={`chip${props.now - Date.parse(since) > LONG_WAIT_S * 1000 ? " warn" : ""}`} title={t("arrived.since")}>
          <Clock3 size={16} strokeWidth={1.75} aria-hidden />
          <span class="hidden-text">{t("arrived.since")}</span>
          {elapsed(since, props.now)}
        </span>
      </div>
      <p class="task-reason" dir="auto">
        {entry.reason || t("waiting.no_reason")}
      </p>
      <div class="row">
        <div class="row wrap grow">
          {entry.customer_reference && (
            <span class="chip" dir="auto">
              {entry.customer_reference}
            </span>
          )}
          <span class="chip">{t(`language.${entry.language}`)}</span>
          {cut && (
            <span class="chip warn">
              <WifiOff size={16} strokeWidth={1.75} aria-hidden />
              {t("waiting.away")}
            </span>
          )}
        </div>
        <Button look="primary" label={t("arrived.enter.label", { name })} busy={props.busy} disabled={props.disabled} onClick={props.onEnter}>
          {t("arrived.enter")}
        </Button>
      </div>
    </li>
  );
}

export interface WaitingListProps {
  arrived: readonly OccupiedSession[];
  onEnter: (session: string) => void;
  entries: readonly WaitingEntry[];
  taking: string | null;
  inCall: boolean;
  onTake: (session: string) => void;
}

export function WaitingList(props: WaitingListProps) {
  const now = useNow();
  const busyElsewhere = (session: string) => props.inCall || (props.taking !== null && props.taking !== session);
  if (props.entries.length === 0 && props.arrived.length === 0) {
    return (
      <div class="empty">
        <Hourglass size={28} strokeWidth={1.5} aria-hidden />
        <p>{t("waiting.empty")}</p>
        <p class="small">{t("waiting.empty.under")}</p>
      </div>
    );
  }
  return (
    <>
      {props.arrived.length > 0 && (
        <section class="stack tight" aria-labelledby="arrived-title">
          <h3 id="arrived-title" class="small">
            {t("arrived.title")}
          </h3>
          <ul class="tasks" aria-live="off">
            {props.arrived.map((entry) => (
              <ArrivedCard
                key={entry.session}
                entry={entry}
                now={now}
                busy={props.taking === entry.session}
                disabled={busyElsewhere(entry.session)}
                onEnter={() => props.onEnter(entry.session)}
              />
            ))}
          </ul>
        </section>
      )}
      <ul class="tasks" aria-live="off">
        {props.entries.map((entry) => (
          <WaitingCard
            key={entry.session}
            entry={entry}
            now={now}
            busy={props.taking === entry.session}
            disabled={busyElsewhere(entry.session)}
            onTake={() => props.onTake(entry.session)}
          />
        ))}
      </ul>
    </>
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

export interface SessionListProps {
  sessions: readonly SessionView[];
  inside: readonly OccupiedSession[];
  current: string | null;
  selected: string | null;
  onSelect: (session: SessionView) => void;
}

/** Who is in a session now; "" when nobody is. */
export function namesInside(inside: readonly OccupiedSession[], session: string): string {
  const people = inside.find((entry) => entry.session === session)?.people ?? [];
  return people.map(({ name, role }) => name || roleName(role)).join(t("list.separator"));
}

export function SessionList(props: SessionListProps) {
  const now = useNow();
  const names = (session: string) => namesInside(props.inside, session);
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
            {names(session.id) && (
              <span class="row small" dir="auto">
                <UsersRound size={16} strokeWidth={1.75} aria-hidden />
                <span class="grow one-line">{t("sessions.inside", { names: names(session.id) })}</span>
              </span>
            )}
          </button>
        </li>
      ))}
      </ul>
    </>
  );
}
