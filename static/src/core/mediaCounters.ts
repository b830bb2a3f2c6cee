/** What the relay counted of a session, poll after poll, as lines over the last two minutes. Pure. */
import type { MediaCounters, MediaParticipant, MediaSlot, ParticipantId } from "../protocol.gen";

export const WINDOW_MS = 120_000;
export const EVERY_MS = 2_000;
/** Between two points further apart nothing is known: the page was hidden or the server out of reach. */
const GAP_MS = 3.5 * EVERY_MS;
/** A connection that came back counts anew; one that has gone is kept until its last point is too old. */
const MAX_POINTS = WINDOW_MS / EVERY_MS + 5;

/** One participant at one moment; null: not known. Rates in kbit/s, loss in percent. */
export interface Point {
  atMs: number;
  estimate: number | null; // what the way to them carries
  sent: number | null;
  up: number | null; // what comes from them
  rtt: number | null; // ms
  lossDown: number | null;
  lossUp: number | null;
  lines: number | null; // of the tallest picture they are sent; 0: it is held back
}

export type Value = Exclude<keyof Point, "atMs">;

/** `now`: as last told, null when their connection is gone. */
export interface Line {
  participant: ParticipantId;
  points: readonly Point[];
  now: MediaParticipant | null;
}

export type History = readonly Line[];

/** Slots that show, or would show, a picture. */
export function pictures(one: MediaParticipant): MediaSlot[] {
  return one.slots.filter(({ source }) => source === "camera" || source === "screen");
}

/** With what has come since; points older than the window are left out, and whoever has none left. */
export function record(history: History, counters: MediaCounters, atMs: number): History {
  const recent = (points: readonly Point[]): Point[] => points.filter((point) => atMs - point.atMs <= WINDOW_MS + EVERY_MS).slice(1 - MAX_POINTS);
  const before = new Map(history.map((line) => [line.participant, line]));
  const present = counters.participants.map((now) => {
    const line = before.get(now.participant);
    const point = pointOf(now, line?.now ?? null, atMs);
    return { participant: now.participant, points: [...recent(line?.points ?? []), point], now };
  });
  const ids = new Set(present.map(({ participant }) => participant));
  const gone = history
    .filter(({ participant }) => !ids.has(participant))
    .map((line) => ({ ...line, points: recent(line.points), now: null }))
    .filter(({ points }) => points.length > 0);
  return [...present, ...gone];
}

export function pointOf(now: MediaParticipant, before: MediaParticipant | null, atMs: number): Point {
  const network = now.state === "connected" ? now.network : null;
  const layers = now.sources.flatMap((source) => source.layers);
  const heights = pictures(now).map((slot) => (slot.held ? 0 : slot.rid === null || slot.height === 0 ? null : slot.height));
  const known = heights.filter((height) => height !== null);
  return {
    atMs,
    estimate: network?.estimate_kbps ?? null,
    sent: network?.sent_kbps ?? null,
    up: now.state === "connected" && layers.length > 0 ? layers.reduce((sum, layer) => sum + layer.bitrate_kbps, 0) : null,
    rtt: network?.rtt_ms ?? null,
    lossDown: network === null ? null : network.loss_permille / 10,
    lossUp: before === null ? null : lossBetween(before, now),
    lines: known.length > 0 ? Math.max(...known) : null,
  };
}

/** Of what they sent between two polls, the part that never came; null when nothing did, or their counters began anew. */
function lossBetween(before: MediaParticipant, now: MediaParticipant): number | null {
  const total = (one: MediaParticipant, name: "packets" | "lost"): number =>
    one.sources.reduce((sum, source) => sum + source.layers.reduce((inner, layer) => inner + layer[name], 0), 0);
  const came = total(now, "packets") - total(before, "packets");
  const lost = Math.max(0, total(now, "lost") - total(before, "lost"));
  return came <= 0 ? null : (100 * lost) / (came + lost);
}

/** What is known of one value, cut where something is missing in between. */
export function stretches(points: readonly Point[], value: Value): { atMs: number; value: number }[][] {
  const found: { atMs: number; value: number }[][] = [];
  let last: number | null = null;
  for (const point of points) {
    const number = point[value];
    if (number !== null) {
      if (last === null || point.atMs - last > GAP_MS) found.push([]);
      found.at(-1)?.push({ atMs: point.atMs, value: number });
    }
    last = number === null ? null : point.atMs;
  }
  return found;
}

/** A round number (1, 2 or 5 times a power of ten) that nothing passes, at least `least`. */
export function ceiling(points: readonly Point[], values: readonly Value[], least: number): number {
  const most = Math.max(least, ...points.flatMap((point) => values.map((value) => point[value] ?? 0)));
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((step) => step * power).find((round) => round >= most) ?? 10 * power;
}

export interface Frame {
  width: number;
  height: number;
  endMs: number; // the right edge
  top: number; // the value at the upper edge
}

/** The `d` of an SVG path, the window's end at the right. `steps`: a value holds until the next one. A lone point is a short dash. */
export function pathOf(points: readonly Point[], value: Value, frame: Frame, steps = false): string {
  const x = (atMs: number): number => round(frame.width * (1 - (frame.endMs - atMs) / WINDOW_MS));
  const y = (number: number): number => round(frame.height * (1 - Math.min(1, number / frame.top)));
  return stretches(points.filter(({ atMs }) => frame.endMs - atMs <= WINDOW_MS), value)
    .map((stretch) => {
      const [first, ...rest] = stretch;
      if (first === undefined) return "";
      const start = `M${x(first.atMs)} ${y(first.value)}`;
      if (rest.length === 0) return `${start}h1`;
      return start + rest.map((one) => (steps ? `H${x(one.atMs)}V${y(one.value)}` : `L${x(one.atMs)} ${y(one.value)}`)).join("");
    })
    .join("");
}

function round(number: number): number {
  return Math.round(number * 10) / 10;
}

/** The lowest and highest of what is known; null when nothing is. */
export function range(points: readonly Point[], value: Value): { least: number; most: number } | null {
  const known = points.map((point) => point[value]).filter((number) => number !== null);
  return known.length === 0 ? null : { least: Math.min(...known), most: Math.max(...known) };
}

/** For a table: the newest point, and of the older ones one each `everyMs`, newest first. */
export function rows(points: readonly Point[], everyMs = 10_000): Point[] {
  const found: Point[] = [];
  for (const point of points.toReversed()) {
    const last = found.at(-1);
    if (last === undefined || last.atMs - point.atMs >= everyMs - EVERY_MS / 2) found.push(point);
  }
  return found;
}
