/** What a supervisor does in somebody else's session, and what the one who hears a whisper is told. */
import { Ear, EarOff, MessagesSquare } from "lucide-preact";
import { t } from "../../i18n";
import type { ParticipantView } from "../../protocol.gen";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/controls";
import { personName } from "../../ui/words";
import { isOn, toggle, useCall } from "./ui";

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
  if (!me.listens) {
    return (
      <div class="row supervising">
        <Button icon={Ear} look="plain" onClick={() => call.supervise("listen")}>
          {t("supervise.listen")}
        </Button>
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
        </>
      }
    >
      {ear ? t("whisper.on", { name: personName(ear) }) : t("supervise.listening")}
    </Notice>
  );
}
