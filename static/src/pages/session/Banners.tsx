/** What is wrong or asked right now, above the stage: the line, the media, a device, a refused message. */
import { Volume2 } from "lucide-preact";
import { useSignal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Call } from "../../core/model";
import { t } from "../../i18n";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/controls";
import { codeText } from "../../ui/problems";
import { deviceProblem, limitWords } from "../../ui/words";
import { AgentLost } from "./AgentLost";
import { PageOffer } from "./cobrowse/PageOffer";
import { RoleBanner, WaitsBanner } from "./Gates";
import { HandoverLine } from "./Handover";
import { Listeners, Supervising } from "./Supervising";
import { PdfOffer } from "./pdf/PdfOffer";
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

/** Comes when one's own line is weak, and stays until it is good or the reader has decided: it must not come and go. */
function useAdvice(call: Call): Signal<"no" | "yes" | "decided"> {
  const advice = useSignal<"no" | "yes" | "decided">("no");
  const me = call.me.value;
  const level = me ? call.quality.value.get(me.id)?.level : undefined;
  useEffect(() => {
    if (level === "poor" && advice.value === "no") advice.value = "yes";
    else if (level === "good" && advice.value === "yes") advice.value = "no";
  }, [level]);
  return advice;
}

function Advice({ call }: { call: Call }) {
  const advice = useAdvice(call);
  const why = limitWords(call.network.value);
  const level = call.me.value ? call.quality.value.get(call.me.value.id)?.level : undefined;
  if (call.saver.value === "audio") return level === "poor" ? <Notice kind="quiet">{t("quality.advice.write")}</Notice> : null;
  if (advice.value !== "yes") return null;
  return (
    <Notice
      kind="quiet"
      action={
        <>
          <Button
            onClick={() => {
              call.setSaver("audio");
              advice.value = "no";
            }}
          >
            {t("quality.advice.go")}
          </Button>
          <Button look="plain" onClick={() => (advice.value = "decided")}>
            {t("quality.advice.no")}
          </Button>
        </>
      }
    >
      <strong>{t("quality.advice.title")}</strong>
      {why !== null && <p>{why}</p>}
      <p>{t("quality.advice.text")}</p>
    </Notice>
  );
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
      {!call.pictures.value && (
        <Notice kind="quiet">
          <strong>{t("pictures.none.title")}</strong>
          <p>{t("pictures.none.text")}</p>
        </Notice>
      )}
      {call.soundBlocked.value && (
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
      <AgentLost />
      <HandoverLine />
      <WaitsBanner />
      <RoleBanner />
      <Listeners />
      <Supervising />
      <PageOffer />
      <PdfOffer />
      {call.me.value?.muted && <Notice kind="quiet">{t("muted.self")}</Notice>}
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
      {call.phase.value === "live" && <Advice call={call} />}
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
