/** The questions of a call. One at a time; what somebody asks of you comes before what you opened yourself. */
import { useState } from "preact/hooks";
import { t } from "../../i18n";
import type { ParticipantView, Source } from "../../protocol.gen";
import { ConsentCard, WORDING } from "../../ui/ConsentCard";
import type { AskedScope } from "../../ui/ConsentCard";
import { Button } from "../../ui/Button";
import { TextField } from "../../ui/controls";
import { Confirm, Dialog } from "../../ui/Dialog";
import { personName, roleName } from "../../ui/words";
import { PeopleDialogs } from "./PeopleDialogs";
import { Sharing } from "./Sharing";
import { DevicesDialog, More } from "./More";
import { RecordingDialog, RecordingQuestion, isAsked } from "./Recording";
import { close, give, isOn, turnOn, useCall } from "./ui";

function ConsentDialog({ scope, title }: { scope: AskedScope; title?: string }) {
  const ui = useCall();
  const { call } = ui;
  const done = (given: boolean) => {
    if (given) give(call, scope);
    else call.decide(scope, "refused", WORDING[scope]);
    call.answerAsk();
    close(ui);
  };
  return (
    <Dialog title={title ?? t(`consent.${scope}.title`)}>
      <ConsentCard scope={scope} bare onAnswer={done} />
    </Dialog>
  );
}

/** From "what I share": a check of one's face may be made, or not. */
function FaceConsent() {
  const ui = useCall();
  const answer = (given: boolean) => {
    ui.call.decide("face", given ? "given" : "refused", WORDING.face);
    close(ui);
  };
  return (
    <Dialog title={t("consent.face.title")} onClose={() => close(ui)}>
      <ConsentCard scope="face" bare cases={ui.call.verification.cases.value} onAnswer={answer} />
    </Dialog>
  );
}

/** "… asks you to …": with the consent on record a plain yes or no, else the consent itself. */
function AskedDialog({ by, source }: { by: ParticipantView | undefined; source: Source }) {
  const { call } = useCall();
  const title = t(`asked.${source}`, { name: by?.name || roleName(by?.role ?? "agent") });
  if (source === "screen" || call.consents.value.get(source) !== "given") return <ConsentDialog scope={source} title={title} />;
  const answer = (yes: boolean) => {
    if (yes) void turnOn(call, source);
    call.answerAsk();
  };
  return (
    <Dialog title={title}>
      <p>{t("asked.text")}</p>
      <div class="pair">
        <Button onClick={() => answer(false)}>{t("asked.no")}</Button>
        <Button onClick={() => answer(true)}>{t("asked.yes")}</Button>
      </div>
    </Dialog>
  );
}

function AskDialog() {
  const ui = useCall();
  const { call } = ui;
  const people = call.others.value.filter((person) => person.state !== "left" && person.role === "customer");
  const sources: readonly Source[] = ["camera", "microphone", "screen"];
  return (
    <Dialog title={t("ask.title")} onClose={() => close(ui)}>
      <p class="soft">{t("ask.under")}</p>
      {people.length === 0 && <p>{t("ask.nobody")}</p>}
      {people.map((person) => (
        <section key={person.id} class="stack tight">
          <h3 dir="auto">{personName(person)}</h3>
          {sources.map((source) => {
            const track = person.tracks.find((item) => item.source === source);
            const already = track?.on === true && track.open;
            return (
              <Button
                key={source}
                disabled={already}
                onClick={() => {
                  call.ask(person.id, source);
                  close(ui);
                }}
              >
                {already ? t("ask.already", { source: t(`source.${source}`) }) : t(`ask.${source}`)}
              </Button>
            );
          })}
        </section>
      ))}
    </Dialog>
  );
}

function EndDialog() {
  const ui = useCall();
  const { call } = ui;
  const [reason, setReason] = useState("");
  const leads = ui.variant !== "customer";
  return (
    <Confirm
      title={t(leads ? "end.title.agent" : "end.title")}
      text={t(leads ? "end.text.agent" : "end.text")}
      yes={t("end.yes")}
      no={t("end.no")}
      onNo={() => close(ui)}
      onYes={() => {
        close(ui);
        call.endSession(leads ? reason.trim() : "customer");
      }}
    >
      {leads && <TextField label={t("end.reason")} value={reason} maxLength={200} onInput={setReason} />}
      {leads && (
        <Button
          look="plain"
          onClick={() => {
            close(ui);
            call.leave();
          }}
        >
          {t("end.only_me")}
        </Button>
      )}
    </Confirm>
  );
}

export function Dialogs() {
  const ui = useCall();
  const { call } = ui;
  const asked = call.asked.value;
  const open = ui.open.value;
  if (asked && open.kind !== "leave" && !(asked.source !== "screen" && isOn(call, asked.source))) {
    const by = call.others.value.find((person) => person.id === asked.by);
    return <AskedDialog by={by} source={asked.source} />;
  }
  if (isAsked(call) && open.kind !== "leave") return <RecordingQuestion />;
  switch (open.kind) {
    case "recording":
      return <RecordingDialog />;
    case "recording-consent":
      return <RecordingQuestion onDone={() => close(ui)} />;
    case "face-consent":
      return <FaceConsent />;
    case "consent":
      return <ConsentDialog scope={open.scope} />;
    case "sharing":
      return <Sharing />;
    case "more":
      return <More />;
    case "devices":
      return <DevicesDialog />;
    case "ask":
      return <AskDialog />;
    case "end":
      return <EndDialog />;
    case "leave":
      return (
        <Confirm
          title={t(ui.variant === "customer" ? "leave.title.customer" : "leave.title")}
          text={t(ui.variant === "customer" ? "leave.text.customer" : "leave.text")}
          yes={t("leave.yes")}
          no={t("end.no")}
          onNo={() => close(ui)}
          onYes={() => {
            close(ui);
            call.leave();
          }}
        />
      );
    case "remove": {
      const name = personName(open.person);
      return (
        <Confirm
          title={t("remove.title", { name })}
          text={t("remove.text")}
          yes={t("remove.yes")}
          no={t("cancel")}
          onNo={() => close(ui)}
          onYes={() => {
            call.remove(open.person.id);
            close(ui);
          }}
        />
      );
    }
    default:
      return <PeopleDialogs />; // `invite`, `keys` and `handover` belong to the workbench
  }
}
