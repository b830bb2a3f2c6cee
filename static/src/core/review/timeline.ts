/** A recording as a player needs it: who, what was recorded of them and when, what happened. Pure; times are milliseconds since its beginning. */
import type { Language, ParticipantId, Role, Source } from "../../protocol.gen";

export interface Span {
  fromMs: number;
  toMs: number;
}

export interface Party {
  id: ParticipantId;
  name: string;
  role: Role;
  there: Span[];
}

/** One connection's voice or picture. `mime` is "" where no browser plays it. */
export interface Track {
  id: string;
  participant: ParticipantId;
  source: Source;
  mime: string;
  spans: Span[]; // when there is something in it, in order
}

/** A page that a customer showed; `spans`: when something of it was seen. */
export interface PageTrack {
  id: string;
  participant: ParticipantId;
  spans: Span[];
}

/** All tracks of one source of one person, in order: reconnections make new ones. It is played by one element. */
export interface Lane {
  key: string;
  participant: ParticipantId;
  source: Source;
  kind: "audio" | "video";
  tracks: Track[];
}

export type Mark =
  | { kind: "checkpoint"; atMs: number; by: ParticipantId; item: string; label: Readonly<Record<Language, string>>; done: boolean; note: string }
  | { kind: "note"; atMs: number; by: ParticipantId; text: string }
  | { kind: "chat"; atMs: number; by: ParticipantId; text: string }
  | { kind: "file"; atMs: number; by: ParticipantId; name: string; size: number }
  | { kind: "joined" | "left"; atMs: number; by: ParticipantId }
  | { kind: "screen"; atMs: number; by: ParticipantId; on: boolean }
  | { kind: "consent"; atMs: number; by: ParticipantId; given: boolean }
  | { kind: "paused" | "resumed"; atMs: number }
  | { kind: "gap"; atMs: number; toMs: number; by: ParticipantId; source: Source; packets: number; reason: string };

export interface Timeline {
  durationMs: number;
  startedAt: string;
  parties: Party[];
  tracks: Track[];
  pages: PageTrack[]; // in order
  marks: Mark[]; // in order of time
  speaking: { atMs: number; who: ParticipantId[] }[]; // in order of time
  pauses: Span[];
  damaged: string[]; // files that could not be read
}

/** A word between two others does not move the picture. */
const BRIEF_MS = 700;

export function lanes(tracks: readonly Track[]): Lane[] {
  const found = new Map<string, Lane>();
  for (const track of tracks) {
    const key = `${track.participant}.${track.source}`;
    const lane = found.get(key) ?? { key, participant: track.participant, source: track.source, kind: track.source === "microphone" ? "audio" : "video", tracks: [] };
    lane.tracks.push(track);
    found.set(key, lane);
  }
  for (const lane of found.values()) lane.tracks.sort((a, b) => firstMs(a) - firstMs(b));
  return [...found.values()];
}

export function firstMs(track: Track): number {
  return track.spans[0]?.fromMs ?? 0;
}

export function lastMs(track: Track): number {
  return track.spans.at(-1)?.toMs ?? 0;
}

export function within(spans: readonly Span[], ms: number, slackMs = 0): boolean {
  return spans.some(({ fromMs, toMs }) => ms >= fromMs - slackMs && ms <= toMs + slackMs);
}

/** Whether something of this lane was recorded then, to about half a second. */
export function laneHas(lane: Lane, ms: number): boolean {
  return lane.tracks.some((track) => within(track.spans, ms));
}

export interface Focus extends Span {
  who: ParticipantId;
}

/** Who is shown large when: whoever began to speak last and went on for a moment; stays until another does. */
export function focus(speaking: Timeline["speaking"], durationMs: number): Focus[] {
  const found: Focus[] = [];
  speaking.forEach(({ atMs, who }, index) => {
    const now = found.at(-1)?.who;
    if (who.length === 0 || (now !== undefined && who.includes(now))) return;
    const next = speaking.slice(index + 1).find((later) => !later.who.includes(who[0] ?? ""));
    if ((next?.atMs ?? durationMs) - atMs < BRIEF_MS) return;
    const before = found.at(-1);
    if (before !== undefined) before.toMs = atMs;
    found.push({ who: who[0] ?? "", fromMs: atMs, toMs: durationMs });
  });
  return found;
}

export function at<T extends Span>(spans: readonly T[], ms: number): T | undefined {
  return spans.findLast(({ fromMs, toMs }) => fromMs <= ms && ms <= toMs);
}

export function speakingAt(speaking: Timeline["speaking"], ms: number): readonly ParticipantId[] {
  return speaking.findLast(({ atMs }) => atMs <= ms)?.who ?? [];
}

/** Which lane is large: a screen that is shown, else the picture of whoever speaks, else the customer's, else any. */
export function largest(all: readonly Lane[], parties: readonly Party[], focused: readonly Focus[], ms: number): Lane | undefined {
  const pictures = all.filter(({ kind }) => kind === "video");
  const screen = pictures.find((lane) => lane.source === "screen" && laneHas(lane, ms));
  if (screen !== undefined) return screen;
  const cameras = pictures.filter(({ source }) => source === "camera");
  const of = (id: ParticipantId | undefined): Lane | undefined => cameras.find(({ participant }) => participant === id);
  return of(at(focused, ms)?.who) ?? of(parties.find(({ role }) => role === "customer")?.id) ?? cameras[0];
}

/** Marks that one jumps to by key, before or after a moment; a moment just after a mark still belongs to it. */
export function neighbour(marks: readonly Mark[], ms: number, way: 1 | -1): Mark | undefined {
  const stops = marks.filter(({ kind }) => kind === "checkpoint" || kind === "note");
  return way === 1 ? stops.find(({ atMs }) => atMs > ms + 250) : stops.findLast(({ atMs }) => atMs < ms - 1_500);
}

/** Where two marks are nearer than this part of the whole, a pointer means the one that matters more. */
export function nearest(marks: readonly Mark[], ms: number, reachMs: number): Mark | undefined {
  const weight = (mark: Mark): number => (mark.kind === "checkpoint" || mark.kind === "note" ? 0 : 1);
  return marks
    .filter((mark) => Math.abs(mark.atMs - ms) <= reachMs)
    .toSorted((a, b) => weight(a) - weight(b) || Math.abs(a.atMs - ms) - Math.abs(b.atMs - ms))[0];
}
