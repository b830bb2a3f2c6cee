/** "What I share": every consent, what it does now, and taking it back. */
import { Camera, Mic, MonitorUp } from "lucide-preact";
import { t } from "../../i18n";
import type { AskedScope } from "../../ui/ConsentCard";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { close, isOn, useCall, withdraw } from "./ui";

const SCOPES = [
  ["microphone", Mic],
  ["camera", Camera],
  ["screen", MonitorUp],
] as const;

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
      </ul>
    </Dialog>
  );
}
