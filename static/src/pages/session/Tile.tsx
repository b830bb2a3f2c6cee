import { CirclePause, MicOff, MonitorUp, WifiOff } from "lucide-preact";
import { t } from "../../i18n";
import type { ParticipantView } from "../../protocol.gen";
import { Avatar } from "../../ui/controls";
import { Video } from "../../ui/Video";
import { roleName } from "../../ui/words";
import { QualityMark } from "./Quality";
import { isShown, screenOf, streamOf, useCall } from "./ui";

export interface TileProps {
  person: ParticipantView;
  screen?: boolean;
  main?: boolean;
  videoRef?: { current: HTMLVideoElement | null };
}

/** One person, or one person's screen: picture or initials, name, role, state. */
export function Tile({ person, screen = false, main = false, videoRef }: TileProps) {
  const ui = useCall();
  const { call } = ui;
  const paused = screen && screenOf(ui, person) === "paused";
  const source = screen ? "screen" : "camera";
  const stream = isShown(person, source) ? streamOf(call, person.id, source) : null;
  const lost = person.state === "disconnected";
  const speaking = !screen && call.speaking.value.has(person.id);
  const quality = call.quality.value.get(person.id);
  const name = person.name || roleName(person.role);
  return (
    <figure class={`tile${speaking ? " speaking" : ""}${main ? " main" : ""}${screen ? " of-screen" : ""}`}>
      {stream && !lost ? (
        <Video stream={stream} fit={screen ? "contain" : "cover"} label={t(screen ? "tile.screen" : "tile.video", { name })} {...(videoRef ? { videoRef } : {})} />
      ) : paused ? (
        <div class="tile-still" role="status">
          <CirclePause size={main ? 48 : 28} strokeWidth={1.5} aria-hidden />
          <strong>{t("tile.paused", { name })}</strong>
          {main && <span>{t("tile.paused.text")}</span>}
        </div>
      ) : (
        <div class="tile-still">
          <Avatar name={name} big />
          {lost && (
            <span class="row">
              <WifiOff size={20} strokeWidth={1.75} aria-hidden />
              {t("tile.lost")}
            </span>
          )}
        </div>
      )}
      <figcaption class="tile-name">
        {screen && <MonitorUp size={16} strokeWidth={2} aria-hidden />}
        {!screen && !isShown(person, "microphone") && (
          <>
            <MicOff size={16} strokeWidth={2} aria-hidden />
            <span class="hidden-text">{t("tile.muted")}</span>
          </>
        )}
        <span class="one-line">
          <bdi>{screen ? t("tile.screen", { name }) : name}</bdi>
          {!screen && person.name && <span class="tile-role"> {roleName(person.role)}</span>}
        </span>
        {speaking && <span class="hidden-text">{t("tile.speaking")}</span>}
        {quality && quality.level !== "good" && !screen && <QualityMark info={quality} words={main && quality.level === "poor"} />}
      </figcaption>
    </figure>
  );
}
