/** In the queue: the place, the honest time, what to have ready. */
import { CreditCard, IdCard, Users, Wifi } from "lucide-preact";
import { useState } from "preact/hooks";
import type { Call } from "../../core/model";
import { roughly, t } from "../../i18n";
import type { Site } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { Confirm } from "../../ui/Dialog";
import { Notice } from "../../ui/controls";
import { Heading, Shell } from "../../ui/Shell";
import { personName } from "../../ui/words";

/** Above the check and the consents: one's place is kept meanwhile. */
export function QueueLine({ call }: { call: Call }) {
  const queue = call.queue.value;
  if (call.phase.value === "reconnecting") return <Notice kind="offline">{t("wait.offline")}</Notice>;
  if (call.phase.value === "waiting" && queue) return <Notice>{t("queue.meanwhile", { n: queue.position })}</Notice>;
  const agent = call.others.value.find((person) => person.role === "agent");
  return agent ? <Notice>{t("queue.ready", { name: personName(agent) })}</Notice> : null;
}

/** `onAlone`: back to what one can do without anybody. `until`: how long what they have asked their bank for stays open; `late`: it does no more. */
export function Wait(props: { site: Site | null; call: Call; onCheck: () => void; onAlone?: () => void; until?: string; late?: boolean }) {
  const { call } = props;
  const [leaving, setLeaving] = useState(false);
  const queue = call.queue.value;
  const prepare = [
    [IdCard, t("wait.prepare.id")],
    [CreditCard, t("wait.prepare.card")],
    [Wifi, t("wait.prepare.place")],
  ] as const;
  return (
    <Shell site={props.site}>
      {call.phase.value === "reconnecting" && <Notice kind="offline">{t("wait.offline")}</Notice>}
      {call.people.requeued.value && (
        <Notice kind="quiet">
          <strong>{t("lost.again")}</strong>
          <p>{t("lost.again.text")}</p>
        </Notice>
      )}
      <Heading under={t("wait.under")}>{t("wait.title")}</Heading>
      <section class="card place" aria-live="polite" aria-atomic="true">
        {queue ? (
          <>
            <span class="soft">{t("wait.place")}</span>
            <strong class="place-number">{queue.position}</strong>
            <span>
              {queue.estimatedWaitS === null ? t("wait.unknown") : t("wait.estimate", { time: roughly(queue.estimatedWaitS) })}
            </span>
          </>
        ) : (
          <>
            <Users size={36} strokeWidth={1.5} aria-hidden />
            <span>{t("wait.soon")}</span>
          </>
        )}
      </section>
      {props.late ? <Notice kind="warn">{t("self.wait.late")}</Notice> : props.until !== undefined && <p>{t("self.wait.until", { time: props.until })}</p>}
      <section class="stack tight">
        <h2>{t("wait.prepare")}</h2>
        <ul class="promises">
          {prepare.map(([Icon, text]) => (
            <li key={text}>
              <Icon size={24} strokeWidth={1.75} aria-hidden />
              <span>{text}</span>
            </li>
          ))}
        </ul>
      </section>
      <div class="stack tight">
        <Button wide onClick={props.onCheck}>
          {t("wait.check")}
        </Button>
        {props.onAlone && (
          <Button wide busy={call.verification.calling.value} onClick={props.onAlone}>
            {t("self.wait.alone")}
          </Button>
        )}
        <Button look="danger-plain" onClick={() => setLeaving(true)}>
          {t("wait.leave")}
        </Button>
      </div>
      {leaving && (
        <Confirm
          title={t("wait.leave.title")}
          text={t("wait.leave.text")}
          yes={t("wait.leave.yes")}
          no={t("wait.leave.no")}
          onNo={() => setLeaving(false)}
          onYes={() => {
            setLeaving(false);
            call.leave();
          }}
        />
      )}
    </Shell>
  );
}
