/** Points, chat and everything else that happened, each a press away. What belongs to the position is marked; nothing moves by itself. */
import { Check, CirclePause, CirclePlay, LogIn, LogOut, MessageSquare, MonitorUp, NotebookPen, Paperclip, ShieldCheck, TriangleAlert, Undo2 } from "lucide-preact";
import type { LucideIcon } from "lucide-preact";
import { useComputed, useSignal } from "@preact/signals";
import type { Player } from "../../core/review/player";
import type { Mark, Timeline } from "../../core/review/timeline";
import { t } from "../../i18n";
import { span } from "../../ui/clock";
import { markWords } from "./words";

export type Tab = "points" | "chat" | "all";
const TABS: readonly Tab[] = ["points", "chat", "all"];
const EMPTY = { points: "review.points.none", chat: "review.chat.none", all: "review.all.none" } as const;

function icon(mark: Mark): LucideIcon {
  switch (mark.kind) {
    case "checkpoint":
      return mark.done ? Check : Undo2;
    case "note":
      return NotebookPen;
    case "chat":
      return MessageSquare;
    case "file":
      return Paperclip;
    case "joined":
      return LogIn;
    case "left":
      return LogOut;
    case "screen":
      return MonitorUp;
    case "consent":
      return ShieldCheck;
    case "paused":
      return CirclePause;
    case "resumed":
      return CirclePlay;
    case "gap":
      return TriangleAlert;
  }
}

export function marksOf(timeline: Timeline, tab: Tab): Mark[] {
  if (tab === "all") return timeline.marks;
  const kinds = tab === "points" ? ["checkpoint", "note"] : ["chat", "file"];
  return timeline.marks.filter(({ kind }) => kinds.includes(kind));
}

export function Beside({ player, first = "points" }: { player: Player; first?: Tab }) {
  const { timeline } = player;
  const tab = useSignal<Tab>(first);
  const marks = marksOf(timeline, tab.value);
  // The last one that has been, by its number; -1 before the first.
  const now = useComputed(() => marksOf(timeline, tab.value).findLastIndex(({ atMs }) => atMs <= player.positionMs.value + 50)).value;
  return (
    <section class="review-beside" aria-label={t("review.beside")}>
      <div class="tabs" role="group" aria-label={t("review.beside")}>
        {TABS.map((one) => (
          <button key={one} type="button" class="tab" aria-pressed={tab.value === one} onClick={() => (tab.value = one)}>
            {t(`review.tab.${one}`)}
          </button>
        ))}
      </div>
      {marks.length === 0 ? (
        <p class="soft small review-none">{t(EMPTY[tab.value])}</p>
      ) : (
        <ol class="review-marks">
          {marks.map((mark, index) => {
            const Icon = icon(mark);
            const what = markWords(timeline, mark);
            return (
              <li key={index}>
                <button
                  type="button"
                  class={`review-mark of-${mark.kind}${index === now ? " is-now" : ""}`}
                  aria-current={index === now ? "time" : undefined}
                  title={t("review.jump", { time: span(mark.atMs) })}
                  onClick={() => player.seek(mark.atMs)}
                >
                  <time>{span(mark.atMs)}</time>
                  <Icon size={18} strokeWidth={1.75} aria-hidden />
                  <span class="grow">
                    <span dir="auto">{what}</span>
                    {mark.kind === "checkpoint" && mark.note !== "" && (
                      <span class="small soft review-note" dir="auto">
                        {mark.note}
                      </span>
                    )}
                  </span>
                </button>
              </li>
            );
          })}
        </ol>
      )}
    </section>
  );
}
