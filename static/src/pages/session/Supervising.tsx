/** What a supervisor does in somebody else's session, and what the one who hears a whisper is told. */
import { Ear, EarOff, MessagesSquare, UserCheck } from "lucide-preact";
import { counted, t } from "../../i18n";
import type { ParticipantView } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/controls";
import { personName } from "../../ui/words";
import { leadName, State } from "./Handover";
import { isOn, toggle, useCall } from "./ui";

/** For as long as somebody listens, whoever the server tells of it reads so above the pictures: a chip in a closed panel tells nobody. */
export function Listeners() {
  const { call } = useCall();
  const whisper = call.whispers.value;
  const heard = whisper !== null && whisper.to === call.me.value?.id ? whisper.by : null; // that is said already
  const listening = call.others.value.filter((person) => person.listens && person.state !== "left" && person.id !== heard);
  if (listening.length === 0) return null;
  const name = listening.map(personName).join(t("list.separator"));
  return (
    <State icon={<Ear size={22} strokeWidth={1.75} aria-hidden />}>
      <div>
        <strong>{counted("listens", listening.length, { name })}</strong>
        <p>{counted("listens.text", listening.length)}</p>
      </div>
    </State>
  );
}

export function Supervising() {
  const ui = useCall();
  const { call } = ui;
  const me = call.me.value;
  const whisper = call.whispers.value;
  const others = call.others.value.filter((person) => person.state !== "left");
  if (whisper !== null && whisper.to === me?.id) {
    const by = others.find((person) => person.id === whisper.by);
    return <Notice kind="quiet">{t("whisper.heard", { name: by ? personName(by) : t("role.supervisor") })}</Notice>;
  }
  if (!me || !call.grants.value.has("supervise")) return null;
  const lead = leadName(call) !== null;
  const takeOver = lead && (
    <Button
      icon={UserCheck}
      look={me.listens ? "secondary" : "plain"}
      onClick={() => {
        ui.open.value = { kind: "takeover" };
      }}
    >
      {t("takeover")}
    </Button>
  );
  if (!me.listens) {
    return (
      <div class="row wrap supervising">
        <Button icon={Ear} look="plain" onClick={() => call.supervise("listen")}>
          {t("supervise.listen")}
        </Button>
        {takeOver}
      </div>
    );
  }
  const ear = whisper?.by === me.id ? others.find((person) => person.id === whisper.to) : undefined;
  const to = (person: ParticipantView): void => {
    call.supervise("whisper", person.id);
    if (!isOn(call, "microphone")) toggle(ui, "microphone"); // asks for consent where there is none
  };
  return (
    <Notice
      action={
        <>
          {ear ? (
            <Button icon={EarOff} onClick={() => call.supervise("listen")}>
              {t("whisper.stop")}
            </Button>
          ) : (
            others
              .filter((person) => person.role !== "customer" && !person.listens)
              .map((person) => (
                <Button key={person.id} icon={Ear} onClick={() => to(person)}>
                  {t("whisper.to", { name: personName(person) })}
                </Button>
              ))
          )}
          <Button icon={MessagesSquare} onClick={() => call.supervise("join")}>
            {t("supervise.join")}
          </Button>
          {takeOver}
        </>
      }
    >
      {ear ? t("whisper.on", { name: personName(ear) }) : t("supervise.listening")}
    </Notice>
  );
}
