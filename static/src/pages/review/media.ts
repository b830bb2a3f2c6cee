/** One lane's element with a media source behind it, in a player's hands. */
import type { Player, Source } from "../../core/review/player";
import { BufferSink, LaneSource } from "../../core/review/source";
import type { Open } from "../../core/review/source";
import type { Lane } from "../../core/review/timeline";

/** Whether this browser can show something of the lane. */
export function canPlay(lane: Lane): boolean {
  return typeof MediaSource === "function" && lane.tracks.some(({ mime }) => mime !== "" && MediaSource.isTypeSupported(mime));
}

const NEVER: Source = { cover: () => "failed", want: () => undefined, again: () => undefined, close: () => undefined };

/** Returns what takes the lane out of the player again. */
export function mount(player: Player, whole: Lane, element: HTMLMediaElement, open: Open): () => void {
  if (!canPlay(whole)) return player.attach(whole, element, NEVER);
  const lane = { ...whole, tracks: whole.tracks.filter(({ mime }) => mime !== "" && MediaSource.isTypeSupported(mime)) };
  const source = new MediaSource();
  const url = URL.createObjectURL(source);
  let detach: () => void = () => undefined;
  let gone = false;
  const opened = (): void => {
    if (gone) return;
    source.duration = player.timeline.durationMs / 1000;
    const mime = lane.tracks[0]?.mime ?? "";
    const sink = new BufferSink(source, source.addSourceBuffer(mime), mime);
    detach = player.attach(lane, element, new LaneSource(lane, sink, open, () => performance.now()));
  };
  source.addEventListener("sourceopen", opened, { once: true });
  element.src = url;
  return () => {
    gone = true;
    source.removeEventListener("sourceopen", opened);
    detach();
    element.removeAttribute("src");
    element.load();
    URL.revokeObjectURL(url);
  };
}
