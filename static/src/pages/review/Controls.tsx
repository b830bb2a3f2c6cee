/** Play, leap, points, speed; and the keys that do the same. */
import { Pause, Play, RotateCcw, RotateCw, SkipBack, SkipForward } from "lucide-preact";
import { useComputed } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { SPEEDS } from "../../core/review/clock";
import type { Player } from "../../core/review/player";
import { neighbour } from "../../core/review/timeline";
import { t } from "../../i18n";
import { IconButton } from "../../ui/Button";
import { span } from "../../ui/clock";
import { shortcuts } from "../../ui/prefs";

const LEAP_MS = 10_000;
const STEP_MS = 5_000;

export function leap(player: Player, ms: number): void {
  player.seek(player.positionMs.peek() + ms);
}

export function toNeighbour(player: Player, way: 1 | -1): void {
  const mark = neighbour(player.timeline.marks, player.positionMs.peek(), way);
  if (mark) player.seek(mark.atMs);
  else if (way === -1) player.seek(0);
}

/** Keys of the whole page, where nobody is typing and no question is open. Space stays the button's under the focus. */
export function usePlayerKeys(player: Player): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const { target } = event;
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !(target instanceof HTMLElement)) return;
      if (target.closest("input, textarea, select, [role=dialog], [role=alertdialog]")) return;
      const action = actions(player)[event.key.toLowerCase()];
      if (!action || (event.key === " " && target.closest("button, a"))) return;
      if (event.key.length === 1 && event.key !== " " && !shortcuts.value) return;
      event.preventDefault();
      action();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [player]);
}

function actions(player: Player): Record<string, () => void> {
  return {
    " ": () => player.toggle(),
    k: () => player.toggle(),
    j: () => leap(player, -LEAP_MS),
    l: () => leap(player, LEAP_MS),
    arrowleft: () => leap(player, -STEP_MS),
    arrowright: () => leap(player, STEP_MS),
    "[": () => toNeighbour(player, -1),
    "]": () => toNeighbour(player, 1),
  };
}

export function Controls({ player }: { player: Player }) {
  const playing = player.playing.value;
  const points = player.timeline.marks.some(({ kind }) => kind === "checkpoint" || kind === "note");
  return (
    <div class="review-controls">
      <div class="row">
        <IconButton icon={playing ? Pause : Play} look="primary" label={t(playing ? "review.pause" : "review.play")} keys="K" onClick={() => player.toggle()} />
        <IconButton icon={RotateCcw} label={t("review.backward")} keys="J" onClick={() => leap(player, -LEAP_MS)} />
        <IconButton icon={RotateCw} label={t("review.forward")} keys="L" onClick={() => leap(player, LEAP_MS)} />
        {points && <IconButton icon={SkipBack} label={t("review.previous")} keys="[" onClick={() => toNeighbour(player, -1)} />}
        {points && <IconButton icon={SkipForward} label={t("review.following")} keys="]" onClick={() => toNeighbour(player, 1)} />}
      </div>
      <Time player={player} />
      <span class="grow small soft" role="status">
        {playing && player.waiting.value ? t("review.waiting") : ""}
      </span>
      <div class="row review-speeds" role="group" aria-label={t("review.speed")}>
        {SPEEDS.map((speed) => (
          <button key={speed} type="button" class="tab" aria-pressed={player.speed.value === speed} aria-label={t("review.speed.times", { n: speed })} onClick={() => player.setSpeed(speed)}>
            {speed}×
          </button>
        ))}
      </div>
    </div>
  );
}

function Time({ player }: { player: Player }) {
  const now = useComputed(() => span(player.positionMs.value));
  return (
    <span class="review-time">
      <strong>{now}</strong> <span class="soft">/ {span(player.timeline.durationMs)}</span>
    </span>
  );
}
