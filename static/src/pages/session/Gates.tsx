/** Who may come in: at the head of the people, for those who lead. Also who waits outside, and where that is said. */
import { ArrowRightLeft, DoorOpen, Lock, UserCheck, UserX } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Call } from "../../core/model";
import { counted, t } from "../../i18n";
import type { ParticipantView } from "../../protocol.gen";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { Avatar, Notice, Switch } from "../../ui/controls";
import { playTone } from "../../ui/tones";
import { personName, roleBeside } from "../../ui/words";
import { canHandOver } from "./Handover";
import { useCall } from "./ui";

function Waiting({ person }: { person: ParticipantView }) {
  const ui = useCall();
  const name = personName(person);
  return (
    <li class="person waits">
      <Avatar name={name} />
      <div class="grow">
        <div class="person-name">
          <bdi>{name}</bdi>
        </div>
        <div class="small soft row wrap">
          {roleBeside(person) && <span>{roleBeside(person)}</span>}
          {person.state === "disconnected" && <span class="chip warn">{t("tile.lost")}</span>}
        </div>
      </div>
      {ui.call.grants.value.has("participant.admit") && (
        <div class="row wrap person-tools">
          <Button icon={UserCheck} look="primary" label={t("waits.admit.label", { name })} onClick={() => ui.call.people.admit(person.id, true)}>
            {t("waits.admit")}
          </Button>
          <Button
            icon={UserX}
            look="danger-plain"
            label={t("waits.refuse.label", { name })}
            onClick={() => {
              ui.open.value = { kind: "refuse", person };
            }}
          >
            {t("waits.refuse")}
          </Button>
        </div>
      )}
    </li>
  );
}

export function Gates() {
  const ui = useCall();
  const { call } = ui;
  const { people } = call;
  const session = call.session.value;
  const waiting = people.waiting.value;
  return (
    <>
      {waiting.length > 0 && (
        <section class="gates stack tight" aria-labelledby="waits-title">
          <h3 id="waits-title">{t("waits.title")}</h3>
          <p class="small soft">{t("waits.nothing")}</p>
          <ul class="people">
            {waiting.map((person) => (
              <Waiting key={person.id} person={person} />
            ))}
          </ul>
        </section>
      )}
      {session && call.grants.value.has("session.lock") && (
        <section class="gates" aria-label={t("gates.title")}>
          <Switch icon={DoorOpen} label={t("gates.room")} hint={t("gates.room.hint")} on={session.waiting_room} onChange={(on) => people.waitingRoom(on)} />
          <Switch icon={Lock} label={t("gates.lock")} hint={t("gates.lock.hint")} on={session.locked} onChange={(on) => people.lock(on)} />
        </section>
      )}
      {canHandOver(ui) && (
        <Button
          icon={ArrowRightLeft}
          onClick={() => {
            ui.open.value = { kind: "handover" };
          }}
        >
          {t("handover.title")}
        </Button>
      )}
    </>
  );
}

/** Somebody waits outside, said above the pictures while the list itself is not in sight. */
export function WaitsBanner() {
  const ui = useCall();
  const n = ui.call.people.waiting.value.length;
  if (n === 0 || ui.panel.value === "people" || !ui.call.grants.value.has("participant.admit")) return null;
  return (
    <Notice
      action={
        <Button
          onClick={() => {
            ui.panel.value = "people";
          }}
        >
          {t("waits.show")}
        </Button>
      }
    >
      {counted("waits.badge", n)}
    </Notice>
  );
}

/** Beside the word "people": how many wait outside. */
export function WaitsBadge({ call }: { call: Call }) {
  const n = call.people.waiting.value.length;
  if (n === 0) return null;
  return (
    <>
      <span class="badge still" aria-hidden>
        {n}
      </span>
      <span class="hidden-text"> {counted("waits.badge", n)}</span>
    </>
  );
}

/** One's role was changed: what one is now, until it has been read. */
export function RoleBanner() {
  const { call } = useCall();
  const mine = call.me.value?.role;
  const before = useRef(mine);
  const news = useSignal(false);
  useEffect(() => {
    if (before.current !== undefined && mine !== undefined && before.current !== mine) news.value = true;
    before.current = mine;
  }, [mine]);
  if (!news.value || mine === undefined) return null;
  return (
    <Notice action={<Button onClick={() => (news.value = false)}>{t("understood")}</Button>}>{t("said.role", { role: t(`role.${mine}`) })}</Notice>
  );
}

/** Says and sounds who comes to wait; one's own new role. */
export function usePeopleEvents(call: Call): void {
  const waits = useRef<Set<string> | null>(null);
  const role = useRef(call.me.value?.role);
  const waiting = call.people.waiting.value;
  const mine = call.me.value?.role;
  useEffect(() => {
    const before = waits.current;
    waits.current = new Set(waiting.map(({ id }) => id));
    const fresh = before && waiting.find(({ id }) => !before.has(id));
    if (!fresh) return;
    announce(t("said.waits", { name: personName(fresh) }));
    playTone("ask");
  }, [waiting]);
  useEffect(() => {
    const before = role.current;
    role.current = mine;
    if (before === undefined || mine === undefined || before === mine) return;
    playTone("message"); // the words are on the page
  }, [mine]);
}
