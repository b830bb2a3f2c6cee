/** How a hand-over stands, in the words of whoever reads it: who hands over, who is given the customer, the customer, the others. */
import { ArrowRightLeft, UserCheck } from "lucide-preact";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { Call, HandoverNow } from "../../core/model";
import { t } from "../../i18n";
import type { ParticipantId } from "../../protocol.gen";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { playTone } from "../../ui/tones";
import { personName } from "../../ui/words";
import { useCall } from "./ui";
import type { CallUi } from "./ui";

/** The dialog asks the desk for colleagues, so there has to be one; somebody to hand over; and one hand-over at a time. */
export function canHandOver(ui: CallUi): boolean {
  const { call } = ui;
  const now = call.people.handover.value;
  const under = now !== null && (now.state === "offered" || now.state === "accepted" || now.state === "here");
  return ui.variant === "agent" && call.grants.value.has("handover") && call.me.value?.listens !== true && call.others.value.length > 0 && !under;
}

export interface HandoverWords {
  title: string;
  text: string | null;
}

/** What this reader is told; null: nothing. */
export function handoverWords(call: Pick<Call, "me" | "others">, now: HandoverNow): HandoverWords | null {
  const me = call.me.value;
  const to = now.toName || t("handover.colleague");
  const from = now.fromName || t("role.agent");
  const plain = (title: string): HandoverWords => ({ title, text: null });
  if (me?.id === now.from) {
    const name = now.toName || t("handover.free_one");
    if (now.state === "here") return plain(t(now.warm ? "handover.here.warm" : "handover.here.cold", { name: to }));
    if (now.state === "done") return null; // one has left
    if ((now.state === "declined" || now.state === "expired") && now.toName === "") return plain(t("handover.nobody_took"));
    if (now.state === "expired" && now.to !== null) return plain(t("handover.not_come", { name }));
    return plain(t(`handover.${now.state}`, { name }));
  }
  const over = now.state === "declined" || now.state === "expired" || now.state === "cancelled" || now.state === "offered";
  if (over) return null; // it is nobody else's business
  if (me?.id === now.to) {
    if (now.state === "done") return plain(t("handover.mine.done"));
    return plain(t(now.warm && now.state === "here" ? "handover.mine.warm" : "handover.mine.coming", { name: from }));
  }
  if (me?.role === "customer") {
    const key = now.warm && now.state !== "done" ? "warm" : now.state === "done" ? "done" : now.state === "here" ? "here" : "accepted";
    // A colleague has accepted with what it is about before their eyes; a supervisor who takes over may know nothing of it.
    const told = key !== "done" || call.others.value.find((person) => person.id === now.to)?.role !== "supervisor";
    return { title: t(`handover.customer.${key}`, { from, to }), text: t(told ? `handover.customer.${key}.text` : "handover.customer.taken_over.text", { to }) };
  }
  return plain(now.state === "done" ? t("handover.other.done", { to }) : t("handover.other", { from, to }));
}

/** Who is shown in whose place: `to` from the moment on that their picture is where that of `from` was, `from` before. To those who
 *  watch a hand-over the two are never shown beside each other, so that one face becomes the other and nothing is rearranged. */
export function succession(call: Pick<Call, "me" | "others" | "people" | "remote">): { from: ParticipantId; to: ParticipantId; shown: ParticipantId } | null {
  const now = call.people.handover.value;
  if (now === null || now.to === null || (now.state !== "accepted" && now.state !== "here" && now.state !== "done")) return null;
  const { from, to } = now;
  const me = call.me.value?.id;
  const shows = (id: ParticipantId): boolean => call.remote.value.some((track) => track.participant === id && track.source === "camera");
  // Who has left in words may be seen a moment longer than is said: the relay switches with the next whole picture.
  if (!shows(from) && (now.state === "done" || (now.state === "here" && shows(to)))) return { from, to, shown: to };
  const watching = me !== from && me !== to && call.others.value.some((person) => person.id === from && person.state !== "disconnected" && person.state !== "left");
  return watching ? { from, to, shown: from } : null;
}

/** One line above the pictures. What can still be done about it stands beside it. */
export function HandoverLine() {
  const ui = useCall();
  const { call } = ui;
  const { people } = call;
  const now = people.handover.value;
  const lost = people.lost.value !== null; // that is said with who is lost
  const words = now && !lost ? handoverWords(call, now) : null;
  const spoken = words?.title ?? "";
  useEffect(() => {
    if (!spoken) return;
    announce(spoken);
    playTone(now?.state === "here" || now?.state === "done" ? "join" : "message");
  }, [spoken]);
  if (!now || !words) return null;
  if (call.me.value?.on_hold && now.warm && now.state !== "done") return null; // the stage says it
  const mine = call.me.value?.id === now.from;
  const underWay = now.state === "offered" || now.state === "accepted" || now.state === "here";
  const Icon = now.state === "done" ? UserCheck : ArrowRightLeft;
  return (
    <State icon={<Icon size={22} strokeWidth={1.75} aria-hidden />} warm={mine && now.warm && now.state === "here"}>
      <div>
        <strong>{words.title}</strong>
        {words.text && <p>{words.text}</p>}
      </div>
      {mine && underWay && (
        <>
          {now.warm && now.state === "here" && (
            <Button look="primary" onClick={() => people.completeHandover()}>
              {t("handover.complete")}
            </Button>
          )}
          {(now.warm || now.state !== "here") && (
            <Button label={t("handover.cancel.label")} onClick={() => people.cancelHandover()}>
              {t("handover.cancel")}
            </Button>
          )}
        </>
      )}
      {mine && !underWay && (
        <>
          {canHandOver(ui) && now.state !== "cancelled" && (
            <Button
              onClick={() => {
                people.putAway();
                ui.open.value = { kind: "handover" };
              }}
            >
              {t("handover.again")}
            </Button>
          )}
          <Button look="plain" onClick={() => people.putAway()}>
            {t("understood")}
          </Button>
        </>
      )}
    </State>
  );
}

/** As a notice, but said by `announce`: its buttons must not be read out with every change. */
export function State(props: { icon: ComponentChildren; warm?: boolean; children: ComponentChildren }) {
  return (
    <div class={`notice state${props.warm ? " warn" : ""}`}>
      {props.icon}
      {props.children}
    </div>
  );
}

/** What one reads while on hold because the two agents talk; null when it is another hold. */
export function talkWords(call: Call): HandoverWords | null {
  const now = call.people.handover.value;
  if (now === null || !now.warm || (now.state !== "accepted" && now.state !== "here")) return null;
  const words = handoverWords(call, now);
  return words && { title: words.title, text: words.text ?? t("hold.text") };
}

/** Who leads, as far as a page can know: the agent that is here. */
export function leadName(call: Call): string | null {
  const lead = call.others.value.find((person) => person.role === "agent" && person.state !== "left");
  return lead ? personName(lead) : null;
}
