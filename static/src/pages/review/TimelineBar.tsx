/** The whole recording from left to right: who was recorded and spoke when, pauses, what is missing, points and chat. One slider. */
import { useSignal, useComputed } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Player } from "../../core/review/player";
import { nearest } from "../../core/review/timeline";
import type { Mark, Party, Span, Timeline } from "../../core/review/timeline";
import { t } from "../../i18n";
import { span } from "../../ui/clock";
import { personName } from "../../ui/words";
import { markWords, spoken } from "./words";

const WIDE = 1000; // units of the drawing, whatever its width
const REACH_PX = 9; // a press so near to a mark means it
const STEP_MS = 5_000;
const LEAP_MS = 30_000;

function spansOf(timeline: Timeline, party: Party): Span[] {
  return timeline.tracks.filter(({ participant }) => participant === party.id).flatMap(({ spans }) => spans);
}

function spokenSpans(timeline: Timeline, party: Party): Span[] {
  const found: Span[] = [];
  timeline.speaking.forEach(({ atMs, who }, index) => {
    if (who.includes(party.id)) found.push({ fromMs: atMs, toMs: timeline.speaking[index + 1]?.atMs ?? timeline.durationMs });
  });
  return found;
}

function Bars({ spans, of, className }: { spans: readonly Span[]; of: number; className: string }) {
  return (
    <>
      {spans.map(({ fromMs, toMs }, index) => (
        <rect key={index} class={className} x={(fromMs / of) * WIDE} width={Math.max(1, ((toMs - fromMs) / of) * WIDE)} y={0} height={10} />
      ))}
    </>
  );
}

function Row({ timeline, party, missing }: { timeline: Timeline; party: Party; missing: readonly Span[] }) {
  const of = Math.max(1, timeline.durationMs);
  return (
    <div class="tl-row">
      <svg viewBox={`0 0 ${WIDE} 10`} preserveAspectRatio="none" aria-hidden>
        <Bars spans={spansOf(timeline, party)} of={of} className="tl-recorded" />
        <Bars spans={spokenSpans(timeline, party)} of={of} className="tl-speaks" />
        <Bars spans={missing} of={of} className="tl-gap" />
      </svg>
      <span class="tl-name one-line">
        <bdi>{personName(party)}</bdi>
      </span>
    </div>
  );
}

const FLAGS: ReadonlySet<Mark["kind"]> = new Set(["checkpoint", "note"]);
const DOTS: ReadonlySet<Mark["kind"]> = new Set(["chat", "file"]);

export function TimelineBar({ player }: { player: Player }) {
  const { timeline } = player;
  const end = Math.max(1, timeline.durationMs);
  const box = useRef<HTMLDivElement>(null);
  const over = useSignal<number | null>(null); // where the pointer is, in ms
  const dragging = useSignal(false);
  // Drawn once a second, and where it is dragged to.
  const second = useComputed(() => Math.floor(player.positionMs.value / 1000));
  const msAt = (event: PointerEvent): { ms: number; reachMs: number } => {
    const rect = box.current?.getBoundingClientRect();
    if (!rect || rect.width === 0) return { ms: 0, reachMs: 0 };
    const part = Math.min(1, Math.max(0, (event.clientX - rect.left) / rect.width));
    return { ms: part * end, reachMs: (REACH_PX / rect.width) * end };
  };
  const meant = (event: PointerEvent): number => {
    const { ms, reachMs } = msAt(event);
    return nearest(timeline.marks, ms, reachMs)?.atMs ?? ms;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const at = player.positionMs.peek();
    const to: Record<string, number> = { ArrowLeft: at - STEP_MS, ArrowDown: at - STEP_MS, ArrowRight: at + STEP_MS, ArrowUp: at + STEP_MS, PageDown: at - LEAP_MS, PageUp: at + LEAP_MS, Home: 0, End: end };
    const wanted = to[event.key];
    if (wanted === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    player.seek(wanted);
  };
  const near = over.value === null ? undefined : nearest(timeline.marks, over.value, (REACH_PX / (box.current?.clientWidth || WIDE)) * end);
  const place = (ms: number) => ({ left: `${(Math.min(end, Math.max(0, ms)) / end) * 100}%` });
  return (
    <div class="tl-frame">
      <div
        ref={box}
        class="tl"
        role="slider"
        tabIndex={0}
        aria-label={t("review.timeline")}
        aria-valuemin={0}
        aria-valuemax={Math.floor(end / 1000)}
        aria-valuenow={second.value}
        aria-valuetext={t("review.position.of", { at: spoken(second.value * 1000), end: spoken(end) })}
        onKeyDown={onKeyDown}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          box.current?.setPointerCapture(event.pointerId);
          dragging.value = true;
          over.value = meant(event);
        }}
        onPointerMove={(event) => {
          over.value = msAt(event).ms;
        }}
        onPointerUp={(event) => {
          if (!dragging.value) return;
          dragging.value = false;
          player.seek(meant(event));
          if (event.pointerType === "touch") over.value = null;
        }}
        onPointerCancel={() => {
          dragging.value = false;
          over.value = null;
        }}
        onPointerLeave={() => {
          if (!dragging.value) over.value = null;
        }}
      >
        <div class="tl-marks">
          {timeline.marks.map((mark, index) =>
            FLAGS.has(mark.kind) ? (
              <span key={index} class={`tl-flag${mark.kind === "checkpoint" && !mark.done ? " is-undone" : ""}`} style={place(mark.atMs)} />
            ) : DOTS.has(mark.kind) ? (
              <span key={index} class="tl-dot" style={place(mark.atMs)} />
            ) : null,
          )}
        </div>
        <div class="tl-rows">
          {timeline.parties.map((party) => (
            <Row
              key={party.id}
              timeline={timeline}
              party={party}
              missing={timeline.marks.flatMap((mark) => (mark.kind === "gap" && mark.by === party.id ? [{ fromMs: mark.atMs, toMs: mark.toMs }] : []))}
            />
          ))}
          {timeline.pages.map((page) => (
            <div class="tl-row" key={page.id}>
              <svg viewBox={`0 0 ${WIDE} 10`} preserveAspectRatio="none" aria-hidden>
                <Bars spans={page.spans} of={end} className="tl-recorded" />
              </svg>
              <span class="tl-name one-line">{t("review.page")}</span>
            </div>
          ))}
          {timeline.pauses.map((pause, index) => (
            <span key={index} class="tl-pause" style={{ left: `${(pause.fromMs / end) * 100}%`, width: `${((pause.toMs - pause.fromMs) / end) * 100}%` }} />
          ))}
        </div>
        <Head player={player} end={end} dragged={dragging.value ? over.value : null} />
        {over.value !== null && (
          <span class={`tl-tip${over.value > end * 0.6 ? " is-left" : ""}`} style={place(over.value)} aria-hidden>
            {span(near?.atMs ?? over.value)}
            {near && <span class="tl-tip-words">{markWords(timeline, near)}</span>}
          </span>
        )}
      </div>
    </div>
  );
}

/** The line of the position: alone, it moves twenty times a second. */
function Head({ player, end, dragged }: { player: Player; end: number; dragged: number | null }) {
  const ms = dragged ?? player.positionMs.value;
  return <span class="tl-head" style={{ left: `${(Math.min(end, ms) / end) * 100}%` }} />;
}

const LEGEND = ["recorded", "speaks", "pause", "gap", "point", "chat"] as const;

export function Legend() {
  return (
    <ul class="tl-legend small soft">
      {LEGEND.map((one) => (
        <li key={one} class={`tl-key of-${one}`}>
          {t(`review.legend.${one}`)}
        </li>
      ))}
    </ul>
  );
}
