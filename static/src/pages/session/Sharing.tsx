/** "What I share": every consent, what it does now, and taking it back. */
import { Camera, Circle, Mic, MonitorUp, ScanFace } from "lucide-preact";
import { t } from "../../i18n";
import { WORDING } from "../../ui/ConsentCard";
import type { AskedScope } from "../../ui/ConsentCard";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { answerRecording } from "./Recording";
import { close, isOn, useCall, withdraw } from "./ui";

const SCOPES = [
  ["microphone", Mic],
  ["camera", Camera],
  ["screen", MonitorUp],
] as const;

/** Being recorded is one of the answers, where it has been asked for. */
function RecordingRow() {
  const ui = useCall();
  const { call } = ui;
  const given = call.consents.value.get("recording") === "given";
  if (!call.consents.value.has("recording") && call.recording.view.value.state === "off") return null;
  const live = call.me.value !== null && call.recording.view.value.recorded.includes(call.me.value.id);
  return (
    <li>
      <Circle class={live ? "light-mark is-on" : ""} size={24} strokeWidth={1.75} aria-hidden />
      <div class="grow">
        <strong>{t("sharing.recording")}</strong>
        <p class="small soft">{t(live ? "sharing.recording.live" : given ? "sharing.recording.allowed" : "sharing.refused")}</p>
      </div>
      {given ? (
        <Button look="danger-plain" label={`${t("sharing.withdraw")}: ${t("sharing.recording")}`} onClick={() => answerRecording(call, "withdrawn")}>
          {t("sharing.withdraw")}
        </Button>
      ) : (
        <Button
          label={`${t("sharing.allow")}: ${t("sharing.recording")}`}
          onClick={() => {
            ui.open.value = { kind: "recording-consent" };
          }}
        >
          {t("sharing.allow")}
        </Button>
      )}
    </li>
  );
}

/** A check of one's face: customers alone are checked, so they alone are asked. */
function FaceRow() {
  const ui = useCall();
  const { call } = ui;
  if (call.me.value?.role !== "customer") return null;
  const decision = call.consents.value.get("face");
  return (
    <li>
      <ScanFace size={24} strokeWidth={1.75} aria-hidden />
      <div class="grow">
        <strong>{t("sharing.face")}</strong>
        <p class="small soft">{t(decision === "given" ? "sharing.face.allowed" : decision ? "sharing.refused" : "sharing.never")}</p>
      </div>
      {decision === "given" ? (
        <Button look="danger-plain" label={`${t("sharing.withdraw")}: ${t("sharing.face")}`} onClick={() => call.decide("face", "withdrawn", WORDING.face)}>
          {t("sharing.withdraw")}
        </Button>
      ) : (
        <Button
          label={`${t("sharing.allow")}: ${t("sharing.face")}`}
          onClick={() => {
            ui.open.value = { kind: "face-consent" };
          }}
        >
          {t("sharing.allow")}
        </Button>
      )}
    </li>
  );
}

export function Sharing() {
  const ui = useCall();
  const { call } = ui;
  const state = (scope: AskedScope): "live" | "allowed" | "refused" | "never" => {
    const decision = call.consents.value.get(scope);
    if (decision === "given") return isOn(call, scope) ? "live" : "allowed";
    return decision ? "refused" : "never";
  };
  return (
    <Dialog title={t("sharing.title")} onClose={() => close(ui)}>
      <p class="soft">{t("sharing.under")}</p>
      <ul class="sharing">
        {SCOPES.map(([scope, Icon]) => {
          const now = state(scope);
          const given = now === "live" || now === "allowed";
          return (
            <li key={scope}>
              <Icon size={24} strokeWidth={1.75} aria-hidden />
              <div class="grow">
                <strong>{t(`source.${scope}`)}</strong>
                <p class="small soft">{t(`sharing.${now}`)}</p>
              </div>
              {given ? (
                <Button look="danger-plain" label={`${t("sharing.withdraw")}: ${t(`source.${scope}`)}`} onClick={() => withdraw(call, scope)}>
                  {t("sharing.withdraw")}
                </Button>
              ) : (
                <Button
                  label={`${t("sharing.allow")}: ${t(`source.${scope}`)}`}
                  onClick={() => {
                    ui.open.value = { kind: "consent", scope };
                  }}
                >
                  {t("sharing.allow")}
                </Button>
              )}
            </li>
          );
        })}
        <RecordingRow />
        <FaceRow />
      </ul>
    </Dialog>
  );
}
