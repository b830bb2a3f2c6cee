import { CirclePause, MicOff, MonitorUp, WifiOff } from "lucide-preact";
import { t } from "../../i18n";
import type { ParticipantView } from "../../protocol.gen";
import { Avatar } from "../../ui/controls";
import { Video } from "../../ui/Video";
import { personName, roleBeside } from "../../ui/words";
import { useDrawn } from "./drawn";
import { QualityMark } from "./Quality";
import { isShown, remoteOf, screenOf, useCall } from "./ui";

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
  const remote = isShown(person, source) ? remoteOf(call, person.id, source) : undefined;
  const lost = person.state === "disconnected";
  const held = remote?.held === true; // a picture that arrives is shown, whatever else is wrong: the relay takes it away when it stops
  const fit = screen ? "contain" : "cover";
  const tile = useDrawn(call, remote?.stream ?? null, fit);
  const heard = isShown(person, "microphone");
  const speaking = !screen && call.speaking.value.has(person.id);
  const quality = call.quality.value.get(person.id);
  const name = personName(person);
  const role = roleBeside(person);
  return (
    <figure ref={tile} class={`tile${speaking ? " speaking" : ""}${main ? " main" : ""}${screen ? " of-screen" : ""}`}>
      {remote && !held ? (
        <Video stream={remote.stream} fit={fit} label={t(screen ? "tile.screen" : "tile.video", { name })} {...(videoRef ? { videoRef } : {})} />
      ) : paused ? (
        <div class="tile-still" role="status">
          <CirclePause size={main ? 48 : 28} strokeWidth={1.5} aria-hidden />
          <strong>{t("tile.paused", { name })}</strong>
          {main && <span>{t("tile.paused.text")}</span>}
        </div>
      ) : (
        <div class="tile-still">
          {screen ? <MonitorUp size={main ? 48 : 28} strokeWidth={1.5} aria-hidden /> : <Avatar name={name} big />}
          {held && (
            <span class="row held" role="status">
              <CirclePause size={20} strokeWidth={1.75} aria-hidden />
              <span>{screen ? t("tile.held.screen", { name }) : t(heard ? "tile.held" : "tile.held.muted")}</span>
            </span>
          )}
          {person.on_hold && !screen && (
            <span class="row">
              <CirclePause size={20} strokeWidth={1.75} aria-hidden />
              {t("tile.on-hold")}
            </span>
          )}
          {lost && !held && (
            <span class="row">
              <WifiOff size={20} strokeWidth={1.75} aria-hidden />
              {t("tile.lost")}
            </span>
          )}
        </div>
      )}
      <figcaption class="tile-name">
        {screen && <MonitorUp size={16} strokeWidth={2} aria-hidden />}
        {lost && remote && !held && (
          <>
            <WifiOff size={16} strokeWidth={2} aria-hidden />
            <span class="hidden-text">{t("tile.lost")}</span>
          </>
        )}
        {!screen && !heard && (
          <>
            <MicOff size={16} strokeWidth={2} aria-hidden />
            <span class="hidden-text">{t("tile.muted")}</span>
          </>
        )}
        <span class="one-line">
          <bdi>{screen ? t("tile.screen", { name }) : name}</bdi>
          {!screen && role && <span class="tile-role"> {role}</span>}
        </span>
        {speaking && <span class="hidden-text">{t("tile.speaking")}</span>}
        {quality && quality.level !== "good" && !screen && <QualityMark info={quality} words={main && quality.level === "poor"} />}
      </figcaption>
    </figure>
  );
}
