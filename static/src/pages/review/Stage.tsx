/** The pictures of a recording: a screen or whoever speaks large, the others beside. No element is ever moved: only styles change. */
import { MonitorUp, Volume2, VolumeX } from "lucide-preact";
import { useComputed } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { LaneState, Player } from "../../core/review/player";
import { lanes, largest, laneHas, focus, speakingAt, within } from "../../core/review/timeline";
import type { Lane, Party } from "../../core/review/timeline";
import { t } from "../../i18n";
import { Avatar } from "../../ui/controls";
import { IconButton } from "../../ui/Button";
import { personName } from "../../ui/words";
import { canPlay } from "./media";
import { laneName } from "./words";

/** Puts a lane's element into the player; returns what takes it out. */
export type Mount = (lane: Lane, element: HTMLMediaElement) => () => void;

function Picture({ lane, mount, label }: { lane: Lane; mount: Mount; label: string }) {
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => (element.current ? mount(lane, element.current) : undefined), [lane, mount]);
  return <video ref={element} class={`video ${lane.source === "screen" ? "contain" : "cover"}`} playsInline aria-label={label} />;
}

/** The data-lane says which, for the tests that look at what is decoded. */
function Voice({ lane, mount }: { lane: Lane; mount: Mount }) {
  const element = useRef<HTMLAudioElement>(null);
  useEffect(() => (element.current ? mount(lane, element.current) : undefined), [lane, mount]);
  return <audio ref={element} data-lane={lane.key} />;
}

function stateWords(state: LaneState | undefined, paused: boolean, ever: boolean, playable: boolean): string | null {
  if (!ever) return t("review.lane.none.ever");
  if (state === "shown") return null;
  if (state === "failed") return t(playable ? "review.lane.failed" : "review.lane.codec");
  if (state === "loading") return t("review.lane.loading");
  return t(paused ? "review.lane.paused" : "review.lane.none");
}

interface TileProps {
  player: Player;
  party: Party | undefined;
  lane: Lane | undefined; // its picture
  voice: Lane | undefined;
  mount: Mount;
  large: boolean;
  gone?: boolean; // a screen that is not shown now
  speaking: boolean;
  paused: boolean;
}

function ReviewTile({ player, party, lane, voice, mount, large, gone = false, speaking, paused }: TileProps) {
  const name = lane ? laneName(player.timeline, lane) : party ? personName(party) : t("review.somebody");
  const words = stateWords(lane ? player.states.value.get(lane.key) : undefined, paused, lane !== undefined, lane === undefined || canPlay(lane));
  const screen = lane?.source === "screen";
  const muted = party !== undefined && player.muted.value.has(party.id);
  return (
    <figure class={`tile review-tile${large ? " is-large" : ""}${gone ? " is-gone" : ""}${screen ? " of-screen" : ""}${speaking && !screen ? " speaking" : ""}`} data-lane={lane?.key}>
      {lane && <Picture lane={lane} mount={mount} label={name} />}
      {words !== null && (
        <div class="tile-still">
          {!screen && <Avatar name={party ? personName(party) : ""} />}
          <span>{words}</span>
          {!screen && !voice && <span>{t("review.silent")}</span>}
        </div>
      )}
      <figcaption class="tile-name">
        {screen && <MonitorUp size={16} strokeWidth={2} aria-hidden />}
        <span class="one-line">
          <bdi>{name}</bdi>
        </span>
        {speaking && !screen && <span class="hidden-text">{t("tile.speaking")}</span>}
      </figcaption>
      {party && voice && !screen && (
        <IconButton
          icon={muted ? VolumeX : Volume2}
          look="tile-mute"
          pressed={muted}
          label={t(muted ? "review.unmute" : "review.mute", { name: personName(party) })}
          onClick={() => player.setMuted(party.id, !muted)}
        />
      )}
    </figure>
  );
}

export function ReviewStage({ player, mount }: { player: Player; mount: Mount }) {
  const { timeline } = player;
  const all = useRef<Lane[] | null>(null);
  all.current ??= lanes(timeline.tracks);
  const everything = all.current;
  const focused = useRef(focus(timeline.speaking, timeline.durationMs)).current;
  // Of the position only what these say, so that the stage is drawn anew when it changes and not twenty times a second.
  const large = useComputed(() => largest(everything, timeline.parties, focused, player.positionMs.value)?.key);
  const speaking = useComputed(() => speakingAt(timeline.speaking, player.positionMs.value).join(" "));
  const paused = useComputed(() => within(timeline.pauses, player.positionMs.value));
  const screens = useComputed(() => everything.filter((lane) => lane.source === "screen" && laneHas(lane, player.positionMs.value)).map(({ key }) => key).join(" "));
  const of = (id: string, source: Lane["source"]): Lane | undefined => everything.find((lane) => lane.participant === id && lane.source === source);
  const shared = everything.filter(({ source }) => source === "screen");
  return (
    <section class={`review-stage${paused.value ? " is-paused" : ""}`} aria-label={t("review.stage")}>
      {timeline.parties.length === 0 && <p class="soft review-none">{t("review.stage.empty")}</p>}
      {timeline.parties.map((party) => {
        const lane = of(party.id, "camera");
        return (
          <ReviewTile
            key={party.id}
            player={player}
            party={party}
            lane={lane}
            voice={of(party.id, "microphone")}
            mount={mount}
            large={lane !== undefined && lane.key === large.value}
            speaking={speaking.value.split(" ").includes(party.id)}
            paused={paused.value}
          />
        );
      })}
      {shared.map((lane) => (
        <ReviewTile
          key={lane.key}
          player={player}
          party={timeline.parties.find(({ id }) => id === lane.participant)}
          lane={lane}
          voice={undefined}
          mount={mount}
          large={lane.key === large.value}
          gone={!screens.value.split(" ").includes(lane.key)}
          speaking={false}
          paused={paused.value}
        />
      ))}
      {everything
        .filter(({ kind }) => kind === "audio")
        .map((lane) => (
          <Voice key={lane.key} lane={lane} mount={mount} />
        ))}
    </section>
  );
}
