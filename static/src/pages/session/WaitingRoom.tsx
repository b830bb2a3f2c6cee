/** Outside: calm, with one's own picture, and nothing of the conversation. */
import { DoorOpen, EyeOff } from "lucide-preact";
import { useEffect } from "preact/hooks";
import type { Call } from "../../core/model";
import { t } from "../../i18n";
import type { Site } from "../../protocol.gen";
import { announce } from "../../ui/announce";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/controls";
import { Confirm } from "../../ui/Dialog";
import { Heading, Shell } from "../../ui/Shell";
import { playTone } from "../../ui/tones";
import { Video } from "../../ui/Video";

export function WaitingRoom({ site, call, onLeave }: { site: Site | null; call: Call; onLeave: () => void }) {
  const own = call.devices.cameraOn.value ? call.devices.preview.value : null;
  return (
    <Shell site={site}>
      {call.phase.value === "reconnecting" && <Notice kind="offline">{t("lobby.offline")}</Notice>}
      <Heading under={t("lobby.under")}>{t("lobby.title")}</Heading>
      <section class="card place" role="status">
        <DoorOpen size={36} strokeWidth={1.5} aria-hidden />
        <span>{t("lobby.told")}</span>
      </section>
      {own && (
        <figure class="lobby-self">
          <Video stream={own} mirrored label={t("self.video")} />
        </figure>
      )}
      <ul class="promises">
        <li>
          <EyeOff size={24} strokeWidth={1.75} aria-hidden />
          <span>{t("lobby.private")}</span>
        </li>
      </ul>
      <Button look="danger-plain" onClick={onLeave}>
        {t("lobby.leave")}
      </Button>
    </Shell>
  );
}

export function LeaveLobby({ call, onStay }: { call: Call; onStay: () => void }) {
  return (
    <Confirm
      title={t("lobby.leave.title")}
      text={t("lobby.leave.text")}
      yes={t("lobby.leave.yes")}
      no={t("lobby.leave.no")}
      onNo={onStay}
      onYes={() => {
        onStay();
        call.leave();
      }}
    />
  );
}

/** Whether this page is outside; the moment of coming in is said and sounded. */
export function useLobby(call: Call): boolean {
  const outside = call.me.value?.waits === true;
  useEffect(() => {
    if (!outside) return;
    return () => {
      if (call.me.peek()?.waits !== false || call.phase.peek() === "ended") return;
      announce(t("said.admitted"));
      playTone("join");
    };
  }, [outside, call]);
  return outside;
}
