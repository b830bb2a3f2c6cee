/** In place of the pictures while one is on hold: what that means, and music that can be turned off. */
import { CirclePause, Music, VolumeX } from "lucide-preact";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { t } from "../../i18n";
import { Button } from "../../ui/Button";
import { playMusic } from "../../ui/music";
import { sounds } from "../../ui/prefs";
import { talkWords } from "./Handover";
import { useCall } from "./ui";

export function OnHold() {
  const { call, variant } = useCall();
  const talk = talkWords(call);
  // Before anybody has touched the page a browser plays nothing, and says so in its console.
  const music = useSignal(sounds.value && navigator.userActivation?.hasBeenActive !== false);
  useEffect(() => (music.value ? playMusic() : undefined), [music.value]);
  return (
    <div class="stage-empty">
      <div class="on-hold" role="status">
        <CirclePause size={48} strokeWidth={1.5} aria-hidden />
        <strong>{talk?.title ?? t("hold.title")}</strong>
        <p>{talk?.text ?? t(variant === "customer" ? "hold.text.customer" : "hold.text")}</p>
        <Button icon={music.value ? VolumeX : Music} onClick={() => (music.value = !music.value)}>
          {t(music.value ? "hold.music.off" : "hold.music.on")}
        </Button>
      </div>
    </div>
  );
}
