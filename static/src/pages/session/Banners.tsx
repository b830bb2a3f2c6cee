/** What is wrong or asked right now, above the stage: the line, the media, a device, a refused message. */
import { Volume2 } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { t } from "../../i18n";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/controls";
import { codeText } from "../../ui/problems";
import { soundBlocked } from "../../ui/Video";
import { deviceProblem } from "../../ui/words";
import { useCall } from "./ui";

export function useOnline(): boolean {
  const online = useSignal(navigator.onLine);
  useEffect(() => {
    const read = () => {
      online.value = navigator.onLine;
    };
    addEventListener("online", read);
    addEventListener("offline", read);
    return () => {
      removeEventListener("online", read);
      removeEventListener("offline", read);
    };
  }, []);
  return online.value;
}

export function Banners() {
  const { call } = useCall();
  const online = useOnline();
  const { devices } = call;
  const failure = call.failure.value;
  const saver = call.saver.value;
  return (
    <div class="banners">
      {call.phase.value === "reconnecting" ? (
        <Notice kind="offline" action={<Button onClick={() => call.retry()}>{t("reconnect.now")}</Button>}>
          <strong>{t(online ? "reconnect.title" : "offline.title")}</strong>
          <p>{t("reconnect.text")}</p>
        </Notice>
      ) : (
        call.mediaState.value === "failed" && (
          <Notice kind="warn" action={<Button onClick={() => call.retry()}>{t("retry")}</Button>}>
            <strong>{t("media.failed.title")}</strong>
            <p>{t("media.failed.text")}</p>
          </Notice>
        )
      )}
      {soundBlocked.value && (
        <Notice
          action={
            <Button icon={Volume2} look="primary" onClick={() => undefined}>
              {t("sound.unblock")}
            </Button>
          }
        >
          {t("sound.blocked")}
        </Notice>
      )}
      {devices.microphoneProblem.value && call.consents.value.get("microphone") === "given" && (
        <Notice kind="warn" action={<Button onClick={() => void call.setMicrophone(true)}>{t("retry")}</Button>}>
          {deviceProblem(devices.microphoneProblem.value, "microphone")} {t(`device.help.${devices.microphoneProblem.value}`)}
        </Notice>
      )}
      {devices.cameraProblem.value && call.consents.value.get("camera") === "given" && (
        <Notice kind="warn" action={<Button onClick={() => void call.setCamera(true)}>{t("retry")}</Button>}>
          {deviceProblem(devices.cameraProblem.value, "camera")} {t(`device.help.${devices.cameraProblem.value}`)}
        </Notice>
      )}
      {saver !== "full" && (
        <Notice action={<Button onClick={() => call.setSaver("full")}>{t("saver.back")}</Button>}>{t(`saver.${saver}.on`)}</Notice>
      )}
      {failure !== null && (
        <Notice kind="bad" action={<Button onClick={() => call.clearFailure()}>{t("understood")}</Button>}>
          {codeText(failure)}
        </Notice>
      )}
    </div>
  );
}
